/* The tensor square alone. */

/* Convert the input of a tile between flat features and rows of lanes. */
INLINE void NAME(turn_input)(const Plan *plan, int64_t samples, REAL *rows, int64_t row, REAL *flat, const int to_rows)
{
    const int64_t channels = plan->channels;
    for (int64_t sample = 0; sample < samples; sample++)
        for (int64_t degree = 0; degree < plan->degrees_in; degree++) {
            NAME(turn)(2 * degree + 1, channels, rows + degree * degree * row + sample * channels, row, flat, to_rows);
            flat += (2 * degree + 1) * channels;
        }
}

/* Convert the products of a chunk, which has all orders of its paths, between flat features and [order, path, lane]. */
INLINE void NAME(turn_products)(const Plan *plan, const Chunk *chunk, int64_t samples, REAL *part, int64_t row,
                                REAL *flat, int64_t dimension, const int to_rows)
{
    const int64_t channels = plan->channels, orders = chunk->count;
    for (int64_t sample = 0; sample < samples; sample++)
        for (int64_t path = 0; path < chunk->paths; path++)
            NAME(turn)(orders, channels, part + path * row + sample * channels, chunk->paths * row,
                       flat + sample * dimension + path * channels * orders, to_rows);
}

/* Set the lanes that pad the last vector to zero: other values there, such as subnormals, could slow the
 * computation. */
INLINE void NAME(fill)(REAL *rows, int64_t count, int64_t row, int64_t lanes)
{
    for (int64_t r = 0; r < count; r++)
        for (int64_t lane = lanes; lane < rounded(lanes); lane++)
            rows[r * row + lane] = 0;
}

INLINE int64_t NAME(square_size)(const Plan *plan)
{
    int64_t total = 0;
    for (int64_t degree = 0; degree < plan->degrees_out; degree++)
        total += (2 * degree + 1) * plan->paths[degree] * plan->channels;
    return total;
}

/* One call of the tensor square; features are flat. */
typedef struct {
    const Plan *plan;
    int64_t batch;
    REAL *x, *y;
    REAL *gradient, *dx; /* gradients of y and of x */
    REAL *work;          /* [parts, work_numbers] */
    int64_t work_numbers;
} NAME(Square);
#define Square NAME(Square)

EXPORT void NAME(square_forward)(const Square *square, int64_t part, int64_t parts)
{
    const Plan *plan = square->plan;
    const int64_t channels = plan->channels, row = stride(plan->tile * channels), rows_in = squared(plan->degrees_in);
    const int64_t dimension = NAME(square_size)(plan), end = square->batch * (part + 1) / parts;
    REAL *normal = square->work + part * square->work_numbers, *products = normal + rows_in * row;
    for (int64_t begin = square->batch * part / parts, samples; begin < end; begin += samples) {
        samples = NAME(next_tile)(end - begin, plan->tile);
        const int64_t lanes = samples * channels;
        NAME(turn_input)(plan, samples, normal, row, square->x + begin * rows_in * channels, 1);
        NAME(fill)(normal, rows_in, row, lanes);
        REAL *to = square->y + begin * dimension;
        for (int64_t i = 0; i < plan->chunks; i++) {
            const Chunk *chunk = plan->chunk + i;
            NAME(products)(plan, chunk, normal, products, row, lanes, NULL);
            NAME(turn_products)(plan, chunk, samples, products, row, to, dimension, 0);
            to += chunk->count * chunk->paths * channels;
        }
    }
}

/* Compute the gradient of x from that of y. */
EXPORT void NAME(square_backward)(const Square *square, int64_t part, int64_t parts)
{
    const Plan *plan = square->plan;
    const int64_t channels = plan->channels, row = stride(plan->tile * channels), rows_in = squared(plan->degrees_in);
    const int64_t dimension = NAME(square_size)(plan), end = square->batch * (part + 1) / parts;
    REAL *normal = square->work + part * square->work_numbers, *sum = normal + rows_in * row;
    REAL *products = sum + rows_in * row;
    for (int64_t begin = square->batch * part / parts, samples; begin < end; begin += samples) {
        samples = NAME(next_tile)(end - begin, plan->tile);
        const int64_t lanes = samples * channels;
        NAME(turn_input)(plan, samples, normal, row, square->x + begin * rows_in * channels, 1);
        NAME(fill)(normal, rows_in, row, lanes);
        for (int64_t i = 0; i < rows_in * row; i++)
            sum[i] = 0;
        REAL *from = square->gradient + begin * dimension;
        for (int64_t i = 0; i < plan->chunks; i++) {
            const Chunk *chunk = plan->chunk + i;
            NAME(turn_products)(plan, chunk, samples, products, row, from, dimension, 1);
            NAME(fill)(products, chunk->count * chunk->paths, row, lanes);
            NAME(products_backward)(plan, chunk, normal, products, sum, row, lanes);
            from += chunk->count * chunk->paths * channels;
        }
        NAME(turn_input)(plan, samples, sum, row, square->dx + begin * rows_in * channels, 0);
    }
}
