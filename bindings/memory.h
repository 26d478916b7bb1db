/* The memory of the Lua side: an allocator that counts and refuses beyond a limit.
 *
 * The host's own work on the state (making a coroutine, taking a reference) is not protected by any pcall, so a refusal
 * there would be a panic. It runs under grace: the limit is lifted, and a machine that has no memory at all ends the
 * process, which is safe (base/mem.h). */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct memory {
    size_t used, limit;     /* bytes; limit 0: none */
    unsigned grace;         /* nested sections without limit */
    /* For tests of failing allocations: */
    uint64_t fail_at;       /* refuse the n-th growth from now on, 1 the next; 0 never */
    uint64_t fail_times;    /* so many growths in a row; 2 are one allocation and Lua's second try */
};
extern struct memory memory;

/* lua_Alloc. */
void *memory_alloc(void *user, void *p, size_t old, size_t n);
/* Give back what is kept for small blocks; after lua_close. */
void memory_close(void);

/* Around trusted work on the state. Nothing in between may leave by longjmp, except to a pcall in between. */
static inline void memory_grace(void) { memory.grace++; }
static inline void memory_ungrace(void) { memory.grace--; }
