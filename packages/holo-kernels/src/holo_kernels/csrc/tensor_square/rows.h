/* Conversion between flat features and rows. */

#include "../turn.h"

/* One conversion between flat features [batch, (term, channel, order)] and rows [(term, order), batch, channel]. A term
 * is some channels of one degree; terms may come in any order. */
typedef struct {
    int64_t terms;
    const int64_t *widths, *degrees; /* channels of each term, and its degree */
    int64_t batch;
    REAL *flat, *rows;
} NAME(Layout);
#define Layout NAME(Layout)

INLINE void NAME(turn_batch)(const Layout *layout, int64_t part, int64_t parts, const int to_rows)
{
    const int64_t batch = layout->batch;
    REAL *rows = layout->rows, *flat = layout->flat;
    int64_t dimension = 0;
    for (int64_t term = 0; term < layout->terms; term++)
        dimension += (2 * layout->degrees[term] + 1) * layout->widths[term];
    for (int64_t term = 0; term < layout->terms; term++) {
        const int64_t width = layout->widths[term], orders = 2 * layout->degrees[term] + 1;
        for (int64_t sample = batch * part / parts; sample < batch * (part + 1) / parts; sample++)
            NAME(turn)(orders, width, rows + sample * width, batch * width, flat + sample * dimension, to_rows);
        rows += orders * batch * width;
        flat += orders * width;
    }
}

EXPORT void NAME(to_rows)(const Layout *layout, int64_t part, int64_t parts)
{
    NAME(turn_batch)(layout, part, parts, 1);
}

EXPORT void NAME(from_rows)(const Layout *layout, int64_t part, int64_t parts)
{
    NAME(turn_batch)(layout, part, parts, 0);
}
