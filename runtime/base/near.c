/* Edit distance with swaps of neighbours (optimal string alignment), for short names. */
#include "base/near.h"

#include <string.h>

#define NEAR_MAX 48 /* longer names are not what people mistype, and the rows below stay on the stack */

static inline unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static unsigned distance(const char *a, size_t na, const char *b, size_t nb)
{
    unsigned rows[3][NEAR_MAX + 1]; /* of the table, the row being filled and the two above it */
    for (size_t j = 0; j <= nb; j++)
        rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= na; i++) {
        unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= nb; j++) {
            unsigned d = above[j - 1] + (a[i - 1] != b[j - 1]);
            d = least(d, least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d = least(d, two_above[j - 2] + 1);
            row[j] = d;
        }
    }
    return rows[na % 3][nb];
}

const char *near_name(const char *wanted, const char *const *names, size_t n)
{
    size_t length = strlen(wanted);
    const char *best = NULL;
    unsigned allowed = (unsigned)(length / 3);
    if (length == 0 || length > NEAR_MAX)
        return NULL;
    if (allowed == 0)
        allowed = 1;
    for (size_t i = 0; i < n; i++) {
        size_t other = names[i] ? strlen(names[i]) : 0;
        if (other == 0 || other > NEAR_MAX)
            continue;
        unsigned d = distance(wanted, length, names[i], other);
        if (d < other && d <= allowed) { /* d == other would mean that nothing of the name is left */
            best = names[i];
            if (d == 0)
                break;
            allowed = d - 1; /* only a nearer one replaces it */
        }
    }
    return best;
}
