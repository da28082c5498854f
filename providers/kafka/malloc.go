package kafka

/*
#include <stdlib.h>
#if defined(__GLIBC__)
#include <malloc.h>

// Before main, because each thread keeps the arena that it has allocated from once.
__attribute__((constructor)) static void one_arena(void) {
	mallopt(M_ARENA_MAX, 1);
}
#endif
*/
import "C"

// The threads of this program share one arena of C memory, which only the client library uses. Records are allocated by the thread
// that sends, which changes, and freed by another: with arenas of their own, each thread holds what it once needed, 20 MB and more
// in all, and takes more time to do so.
