/* The part of tensor_product.c that depends on the precision, REAL; names go through NAME().
 *
 * Features are first turned into lanes, [term, order, channel] for each node, padded with zeros to whole vectors, so
 * that every loop below runs along channels. For one edge and one path, with x [m1, c] of the sending node, y [m2] and
 * the weights w [c] of the edge, and the Clebsch-Gordan coefficients C, the forward is
 *   A[m1, m3] = Σ_m2 C[m1, m2, m3] y[m2]             `couple` computes A, `matrix`
 *   out[m3, c] += w[c] Σ_m1 A[m1, m3] x[m1, c]       `forward_path`; A is the same for all channels
 * With g = dE/dout of the receiving node, the chain rule gives the gradients of the inputs
 *   dx[m1, c] += w[c] Σ_m3 A[m1, m3] g[m3, c]        `backward_x`
 *   dw[c] += Σ_m3 g[m3, c] Σ_m1 A[m1, m3] x[m1, c]   `backward_edge`
 *   dA[m1, m3] = Σ_c w[c] g[m3, c] x[m1, c]          `backward_edge`, `dmatrix`
 *   dy[m2] += Σ_m1,m3 C[m1, m2, m3] dA[m1, m3]       `couple_backward`
 *
 * The edges of a node are summed in sequence by one thread, so that the result is the same in every run.
 */

#define WIDTH ((int64_t)(VECTOR_BYTES / sizeof(REAL)))
#define INLINE static inline __attribute__((always_inline))
#define MOST 31 /* largest number of orders of a degree; callers check it */

typedef REAL NAME(Vector) __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(REAL)), may_alias));
#define Vector NAME(Vector)

INLINE Vector NAME(load)(const REAL *from) { return *(const Vector *)from; }
INLINE void NAME(store)(REAL *to, Vector value) { *(Vector *)to = value; }
#define load NAME(load)
#define store NAME(store)

#include "turn.h"

/* A Clebsch-Gordan coefficient of a cell, and the order of y that it multiplies. */
typedef struct {
    int32_t order;
    REAL coefficient;
} NAME(Entry);
#define Entry NAME(Entry)

typedef struct {
    int64_t paths, terms_in, terms_out;
    const Path *path;
    const Term *term_in, *term_out; /* terms of x and of out */
    const int32_t *cells;
    const Entry *entries;
    int64_t dim_in, dim_y, dim_out, dim_weights; /* size of a flat row */
    int64_t lanes_in, lanes_out;                 /* size of a row of lanes */
    int64_t most_width, most_matrix;             /* largest of a path: channels in whole vectors, and m1 times m3 */
} NAME(ProductPlan);
#define Plan NAME(ProductPlan)

/* One call; arrays that a function does not use may be NULL. Edges are grouped by the node that receives them: those of
 * node n are order_out[start_out[n]] to order_out[start_out[n + 1] - 1]. If `order_out` is NULL, edges are in their own
 * order; if `start_out` is NULL, edge n goes to node n. `start_in` and `order_in` do the same for the node that sends.
 */
typedef struct {
    const Plan *plan;
    int64_t nodes_in, nodes_out;
    const int64_t *senders, *receivers;          /* of each edge; NULL: edge e goes from node e to node e */
    const int64_t *start_out, *order_out;        /* by receivers */
    const int64_t *start_in, *order_in;          /* by senders */
    const REAL *x, *y, *w, *gradient;            /* flat; w is [edges, dim_weights] or, with a stride of 0, one set */
    int64_t weight_row;                          /* distance between sets of weights */
    REAL *x_lanes, *gradient_lanes;              /* [nodes, lanes] */
    REAL *out, *dx, *dy, *dw;
    REAL *work;                                  /* [parts, work_numbers] */
    int64_t work_numbers;
} NAME(Product);
#define Product NAME(Product)

INLINE int64_t NAME(padded)(int64_t width) { return (width + WIDTH - 1) / WIDTH * WIDTH; }
#define padded NAME(padded)

INLINE void NAME(to_lanes)(const Term *terms, int64_t count, const REAL *flat, REAL *lanes)
{
    for (const Term *term = terms; term < terms + count; term++) {
        const int64_t row = padded(term->width);
        REAL *to = lanes + term->lanes;
        NAME(turn)(term->orders, term->width, to, row, (REAL *)flat + term->flat, 1);
        for (int64_t order = 0; order < term->orders; order++)
            for (int64_t c = term->width; c < row; c++)
                to[order * row + c] = 0;
    }
}

INLINE void NAME(from_lanes)(const Term *terms, int64_t count, REAL *lanes, REAL *flat)
{
    for (const Term *term = terms; term < terms + count; term++)
        NAME(turn)(term->orders, term->width, lanes + term->lanes, padded(term->width), flat + term->flat, 0);
}

INLINE void NAME(clear)(REAL *numbers, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        numbers[i] = 0;
}

/* Compute the matrix A of a path, [m1, m3]. */
INLINE void NAME(couple)(const Plan *plan, const Path *path, const REAL *y, REAL *matrix)
{
    const int32_t *cell = plan->cells + path->cells;
    const int64_t count = path->orders1 * path->orders3;
    for (int64_t i = 0; i < count; i++) {
        REAL sum = 0;
        for (int32_t e = cell[i]; e < cell[i + 1]; e++)
            sum += plan->entries[e].coefficient * y[plan->entries[e].order];
        matrix[i] = sum;
    }
}

/* Add the gradient of y from that of the matrix. */
INLINE void NAME(couple_backward)(const Plan *plan, const Path *path, const REAL *matrix, REAL *dy)
{
    const int32_t *cell = plan->cells + path->cells;
    const int64_t count = path->orders1 * path->orders3;
    for (int64_t i = 0; i < count; i++)
        for (int32_t e = cell[i]; e < cell[i + 1]; e++)
            dy[plan->entries[e].order] += plan->entries[e].coefficient * matrix[i];
}

/* Copy the weights of a path into contiguous whole vectors. */
INLINE const REAL *NAME(weights)(const Path *path, const REAL *w, REAL *room)
{
    const int64_t row = padded(path->width);
    for (int64_t c = 0; c < path->width; c++)
        room[c] = path->weight < 0 ? 1 : w[path->weight + c * path->weight_stride];
    for (int64_t c = path->width; c < row; c++)
        room[c] = 0;
    return room;
}

/* out[m3] += w Σ_m1 A[m1, m3] x[m1] */
INLINE void NAME(forward_path)(const int64_t orders1, int64_t orders3, int64_t row, const REAL *matrix, const REAL *x,
                               const REAL *w, REAL *out)
{
    for (int64_t c = 0; c < row; c += WIDTH) {
        Vector each[MOST];
        const Vector weight = load(w + c);
        for (int64_t m = 0; m < orders1; m++)
            each[m] = load(x + m * row + c) * weight;
        for (int64_t m3 = 0; m3 < orders3; m3++) {
            Vector sum = load(out + m3 * row + c);
            for (int64_t m = 0; m < orders1; m++)
                sum += matrix[m * orders3 + m3] * each[m];
            store(out + m3 * row + c, sum);
        }
    }
}

/* dx[m1] += w Σ_m3 A[m1, m3] g[m3] */
INLINE void NAME(backward_x)(const int64_t orders1, int64_t orders3, int64_t row, const REAL *matrix, const REAL *g,
                             const REAL *w, REAL *dx)
{
    for (int64_t c = 0; c < row; c += WIDTH) {
        Vector each[MOST];
        const Vector weight = load(w + c);
        for (int64_t m = 0; m < orders1; m++)
            each[m] = load(dx + m * row + c);
        for (int64_t m3 = 0; m3 < orders3; m3++) {
            const Vector gradient = load(g + m3 * row + c) * weight;
            for (int64_t m = 0; m < orders1; m++)
                each[m] += matrix[m * orders3 + m3] * gradient;
        }
        for (int64_t m = 0; m < orders1; m++)
            store(dx + m * row + c, each[m]);
    }
}

/* dw += Σ_m3 g[m3] Σ_m1 A[m1, m3] x[m1], and the gradient of A, Σ_c w g[m3] x[m1] */
INLINE void NAME(backward_edge)(const int64_t orders1, int64_t orders3, int64_t row, const REAL *matrix, const REAL *x,
                                const REAL *g, const REAL *w, REAL *dw, REAL *dmatrix)
{
    for (int64_t m3 = 0; m3 < orders3; m3++) {
        Vector sums[MOST];
        for (int64_t m = 0; m < orders1; m++)
            sums[m] = (Vector){0};
        for (int64_t c = 0; c < row; c += WIDTH) {
            const Vector gradient = load(g + m3 * row + c), weighted = gradient * load(w + c);
            Vector inner = (Vector){0};
            for (int64_t m = 0; m < orders1; m++) {
                const Vector each = load(x + m * row + c);
                inner += matrix[m * orders3 + m3] * each;
                sums[m] += weighted * each;
            }
            store(dw + c, load(dw + c) + gradient * inner);
        }
        for (int64_t m = 0; m < orders1; m++) {
            REAL total = 0;
            for (int64_t v = 0; v < WIDTH; v++)
                total += sums[m][v];
            dmatrix[m * orders3 + m3] = total;
        }
    }
}

/* The loops over the orders of x are unrolled for common degrees. */
#define FOR_ORDERS(function, orders, ...)                                                                              \
    switch (orders) {                                                                                                  \
    case 1: NAME(function)(1, __VA_ARGS__); break;                                                                     \
    case 3: NAME(function)(3, __VA_ARGS__); break;                                                                     \
    case 5: NAME(function)(5, __VA_ARGS__); break;                                                                     \
    case 7: NAME(function)(7, __VA_ARGS__); break;                                                                     \
    default: NAME(function)(orders, __VA_ARGS__); break;                                                               \
    }

EXPORT void NAME(product_turn_x)(const Product *call, int64_t part, int64_t parts)
{
    const Plan *plan = call->plan;
    for (int64_t n = call->nodes_in * part / parts; n < call->nodes_in * (part + 1) / parts; n++)
        NAME(to_lanes)(plan->term_in, plan->terms_in, call->x + n * plan->dim_in, call->x_lanes + n * plan->lanes_in);
}

EXPORT void NAME(product_turn_gradient)(const Product *call, int64_t part, int64_t parts)
{
    const Plan *plan = call->plan;
    for (int64_t n = call->nodes_out * part / parts; n < call->nodes_out * (part + 1) / parts; n++)
        NAME(to_lanes)(plan->term_out, plan->terms_out, call->gradient + n * plan->dim_out,
                       call->gradient_lanes + n * plan->lanes_out);
}

INLINE int64_t NAME(begin)(const int64_t *start, int64_t node) { return start ? start[node] : node; }

INLINE int64_t NAME(at)(const int64_t *index, int64_t place) { return index ? index[place] : place; }

/* Compute `out` of each node from its edges. */
EXPORT void NAME(product_forward)(const Product *call, int64_t part, int64_t parts)
{
    const Plan *plan = call->plan;
    REAL *lanes = call->work + part * call->work_numbers, *room = lanes + plan->lanes_out;
    REAL *matrix = room + plan->most_width;
    for (int64_t n = call->nodes_out * part / parts; n < call->nodes_out * (part + 1) / parts; n++) {
        NAME(clear)(lanes, plan->lanes_out);
        for (int64_t i = NAME(begin)(call->start_out, n); i < NAME(begin)(call->start_out, n + 1); i++) {
            const int64_t edge = NAME(at)(call->order_out, i);
            const REAL *x = call->x_lanes + NAME(at)(call->senders, edge) * plan->lanes_in;
            const REAL *y = call->y + edge * plan->dim_y, *w = call->w + edge * call->weight_row;
            for (const Path *path = plan->path; path < plan->path + plan->paths; path++) {
                const int64_t row = padded(path->width);
                NAME(couple)(plan, path, y + path->y, matrix);
                FOR_ORDERS(forward_path, path->orders1, path->orders3, row, matrix, x + path->x,
                           NAME(weights)(path, w, room), lanes + path->out)
            }
        }
        NAME(from_lanes)(plan->term_out, plan->terms_out, lanes, call->out + n * plan->dim_out);
    }
}

/* Compute dx of each node from the edges that it sends. */
EXPORT void NAME(product_backward_nodes)(const Product *call, int64_t part, int64_t parts)
{
    const Plan *plan = call->plan;
    REAL *lanes = call->work + part * call->work_numbers, *room = lanes + plan->lanes_in;
    REAL *matrix = room + plan->most_width;
    for (int64_t n = call->nodes_in * part / parts; n < call->nodes_in * (part + 1) / parts; n++) {
        NAME(clear)(lanes, plan->lanes_in);
        for (int64_t i = NAME(begin)(call->start_in, n); i < NAME(begin)(call->start_in, n + 1); i++) {
            const int64_t edge = NAME(at)(call->order_in, i);
            const REAL *g = call->gradient_lanes + NAME(at)(call->receivers, edge) * plan->lanes_out;
            const REAL *y = call->y + edge * plan->dim_y, *w = call->w + edge * call->weight_row;
            for (const Path *path = plan->path; path < plan->path + plan->paths; path++) {
                const int64_t row = padded(path->width);
                NAME(couple)(plan, path, y + path->y, matrix);
                FOR_ORDERS(backward_x, path->orders1, path->orders3, row, matrix, g + path->out,
                           NAME(weights)(path, w, room), lanes + path->x)
            }
        }
        NAME(from_lanes)(plan->term_in, plan->terms_in, lanes, call->dx + n * plan->dim_in);
    }
}

/* Compute dy and dw of each edge; if all edges share one set of weights, each part sums its own dw, [parts,
 * dim_weights]. */
EXPORT void NAME(product_backward_edges)(const Product *call, int64_t part, int64_t parts)
{
    const Plan *plan = call->plan;
    REAL *room = call->work + part * call->work_numbers, *dweights = room + plan->most_width;
    REAL *matrix = dweights + plan->most_width, *dmatrix = matrix + plan->most_matrix;
    const int64_t shared = call->weight_row == 0;
    if (shared)
        NAME(clear)(call->dw + part * plan->dim_weights, plan->dim_weights);
    for (int64_t n = call->nodes_out * part / parts; n < call->nodes_out * (part + 1) / parts; n++)
        for (int64_t i = NAME(begin)(call->start_out, n); i < NAME(begin)(call->start_out, n + 1); i++) {
            const int64_t edge = NAME(at)(call->order_out, i);
            const REAL *x = call->x_lanes + NAME(at)(call->senders, edge) * plan->lanes_in;
            const REAL *g = call->gradient_lanes + n * plan->lanes_out;
            const REAL *y = call->y + edge * plan->dim_y, *w = call->w + edge * call->weight_row;
            REAL *dy = call->dy + edge * plan->dim_y;
            REAL *dw = call->dw + (shared ? part : edge) * plan->dim_weights;
            NAME(clear)(dy, plan->dim_y);
            if (!shared)
                NAME(clear)(dw, plan->dim_weights);
            for (const Path *path = plan->path; path < plan->path + plan->paths; path++) {
                const int64_t row = padded(path->width);
                NAME(couple)(plan, path, y + path->y, matrix);
                NAME(clear)(dweights, row);
                FOR_ORDERS(backward_edge, path->orders1, path->orders3, row, matrix, x + path->x, g + path->out,
                           NAME(weights)(path, w, room), dweights, dmatrix)
                NAME(couple_backward)(plan, path, dmatrix, dy + path->y);
                if (path->weight >= 0)
                    for (int64_t c = 0; c < path->width; c++)
                        dw[path->weight + c * path->weight_stride] += dweights[c];
            }
        }
}

#undef WIDTH
#undef INLINE
#undef MOST
#undef Vector
#undef load
#undef store
#undef Entry
#undef Plan
#undef Product
#undef padded
#undef FOR_ORDERS
#undef Four
