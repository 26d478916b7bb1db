/* test_torture.c over its whole range: every allocation of every snippet, and every one of a load. */
#define TORTURE_MOST 100000
#define LOAD_STRIDE 1
#include "test_torture.c"
