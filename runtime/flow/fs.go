package flow

import (
	"context"
	"io"
	"io/fs"
	"time"
)

// FS is the file layer: small, and handle-based, so that names are resolved once. Real files are in flow/host.
type FS interface {
	// OpenDir opens a directory by absolute path. Links in the path are followed.
	OpenDir(path string) (Dir, error)
	// Open opens a file for reading, by absolute path, as Dir.Open does, but links are followed to the end: it is for files that the
	// configuration names, and is not for what others may put in place.
	Open(path string) (File, error)
	// MkdirAll makes a directory and its parents, by absolute path, each new one durable.
	MkdirAll(path string, perm fs.FileMode) error
	// Watch gives hints that something changed below the directories it is told; polling stays the truth.
	Watch() (Watcher, error)
}

// Dir is an open directory. Names are single path elements; links are never followed.
type Dir interface {
	Path() string // for messages
	// Open opens for reading. It never blocks on a FIFO; what is no regular file is ErrNotRegular.
	Open(name string) (File, error)
	// OpenWrite opens an existing file for reading and writing, or makes it (mode perm) when create is set.
	OpenWrite(name string, create bool, perm fs.FileMode) (File, error)
	// Create makes a new file for reading and writing; an existing one is fs.ErrExist.
	Create(name string, perm fs.FileMode) (File, error)
	OpenDir(name string) (Dir, error)
	Mkdir(name string, perm fs.FileMode) error
	// ReadDir lists the directory, sorted by name.
	ReadDir() ([]Info, error)
	Stat(name string) (Info, error)
	// Rename moves a file into another directory of the same file system; it replaces what is there.
	Rename(name string, to Dir, newName string) error
	// RenameNew is Rename that gives fs.ErrExist instead of replacing.
	RenameNew(name string, to Dir, newName string) error
	Remove(name string) error
	// Sync makes changes of names durable.
	Sync() error
	// Free gives the bytes that may still be written.
	Free() (int64, error)
	Stats() (Info, error) // of the directory itself
	Close() error
}

// Info describes a file.
type Info struct {
	Name    string
	Size    int64
	Mode    fs.FileMode
	ModTime time.Time
	Dev     uint64
	Ino     uint64
	Links   uint64
	UID     uint32
}

// File is an open file.
type File interface {
	io.ReaderAt
	io.WriterAt
	Name() string
	// WriteVec writes all buffers one after the other at off, in one call where the system can.
	WriteVec(off int64, bufs [][]byte) error
	// Allocate makes room on the disk, so that later writes within do not meet a full one. The file grows to off+n.
	Allocate(off, n int64) error
	// Sync makes the content durable (fdatasync).
	Sync() error
	Truncate(size int64) error
	Stat() (Info, error)
	// Lock takes an exclusive lock that ends with the file or the process; false: somebody else has it.
	Lock() (bool, error)
	Close() error
}

// Watcher gives hints about changes.
type Watcher interface {
	// Add watches one directory, by absolute path.
	Add(path string) error
	Remove(path string) error
	// Wait returns when something may have changed, or when ctx ends.
	Wait(ctx context.Context) error
	Close() error
}

// ErrNotRegular is what Open gives for anything but a regular file.
var ErrNotRegular = errNotRegular{}

type errNotRegular struct{}

func (errNotRegular) Error() string { return "not a regular file" }
