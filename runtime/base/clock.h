/* Time. Deadlines are absolute monotonic nanoseconds; wall clock only for what people and platforms read. */
#pragma once
#include <stdint.h>
#include <time.h>

#define NS_PER_MS 1000000LL
#define NS_PER_S 1000000000LL

static inline int64_t clock_ns(void) /* monotonic */
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * NS_PER_S + t.tv_nsec;
}

static inline int64_t clock_wall_ms(void) /* since 1970, UTC */
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / NS_PER_MS;
}
