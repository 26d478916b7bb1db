/* "Did you mean …?" for options, commands, selectors and functions. */
#pragma once
#include <stddef.h>

/* The name that a mistyped `wanted` most likely meant, or NULL when none is near: at most one slip (a letter wrong,
 * missing, added, or two swapped) for each three letters. Entries of names may be NULL. The first of equals wins. */
const char *near_name(const char *wanted, const char *const *names, size_t n);
