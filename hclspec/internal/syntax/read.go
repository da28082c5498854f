package syntax

import (
	"errors"
	"io"
	"os"
	"syscall"
)

var errTooLarge = errors.New("larger than 1 MiB")

// Read reads a regular file of at most 1 MiB. It is opened without waiting, for a pipe, and what is open is what is checked.
func Read(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	switch {
	case !info.Mode().IsRegular():
		return nil, errors.New("not a regular file")
	case info.Size() > maxSize:
		return nil, errTooLarge
	}
	src, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err == nil && len(src) > maxSize {
		err = errTooLarge
	}
	return src, err
}

// Cause gives the reason of a file error without its path, which the message names already.
func Cause(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
