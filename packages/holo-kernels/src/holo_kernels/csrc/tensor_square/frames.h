/* Frames of pairs of vectors by Gram-Schmidt, done twice; axes that the vectors do not define are zero.
 *
 * Forward, with a the first of x and p that is not negligible (`along`):
 *   u = a / |a|
 *   v1 = p - (p·u) u,  b = v1 / |v1|     the first step; b is `between`, |v1| is lengths[0]
 *   v2 = b - (b·u) u,  s = v2 / |v2|     the second step; |v2| is lengths[1]
 *   t = u × s
 * Backward, with g_u, g_s and g_t the gradients of the three axes, and dv for dE/dv; the lines of the forward are
 * taken in reverse order:
 *   t = u × s:         du = g_u + s × g_t,  ds = g_s + g_t × u
 *   e = v / |v|:       dv = (de - (e·de) e) / |v|                    `unit_backward`
 *   v = q - (q·u) u:   dq = dv - (dv·u) u,  du -= (q·u) dv + (dv·u) q
 * The last two are applied first with v = v2 and q = b, then with v = v1 and q = p, whose dq is the gradient of p.
 * Finally u = a / |a| gives the gradient of a, by `unit_backward`, which is added to that of x or p. */

/* One call; all numbers of a pair are contiguous. */
typedef struct {
    int64_t count;
    double tolerance;         /* a vector that is shorter, or at a smaller sine, defines no axis */
    const REAL *x, *p;        /* [count, 3] */
    const REAL *scale;        /* [count], the length that lengths are compared with; NULL: the longer of the two */
    REAL *axes;               /* [count, 3, 3] */
    uint8_t *defined;         /* [count, 3] */
    const REAL *gradient;     /* of the axes */
    REAL *dx, *dp;
} NAME(Frames);
#define Frames NAME(Frames)

INLINE REAL NAME(dot)(const REAL *a, const REAL *b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }
#define dot NAME(dot)

INLINE void NAME(cross)(const REAL *a, const REAL *b, REAL *c)
{
    const REAL x = a[1] * b[2] - a[2] * b[1], y = a[2] * b[0] - a[0] * b[2], z = a[0] * b[1] - a[1] * b[0];
    c[0] = x, c[1] = y, c[2] = z;
}
#define cross NAME(cross)

/* The axes that two vectors define, and the intermediate results on the way to them. */
typedef struct {
    int first, plane;        /* whether the first axis is defined, and whether the two others are */
    int of_p;                /* whether the first axis is along p */
    REAL length;             /* length of the vector that it is along */
    REAL u[3], s[3], t[3];   /* the axes, if they are defined */
    REAL between[3];         /* the second axis after the first step */
    REAL lengths[2];         /* the lengths by which the steps divided */
} NAME(Steps);
#define Steps NAME(Steps)

INLINE Steps NAME(steps)(const Frames *frames, int64_t i)
{
    const REAL *x = frames->x + 3 * i, *p = frames->p + 3 * i;
    const REAL tolerance = (REAL)frames->tolerance;
    const REAL length_x = (REAL)__builtin_sqrt((double)dot(x, x)), length_p = (REAL)__builtin_sqrt((double)dot(p, p));
    const REAL longer = length_x > length_p ? length_x : length_p;
    const REAL threshold = tolerance * (frames->scale ? frames->scale[i] : longer);
    const int has_x = length_x > threshold, has_p = length_p > threshold;
    Steps steps = {.first = has_x || has_p, .of_p = !has_x};
    REAL area[3];
    cross(x, p, area);
    steps.plane = has_x && has_p && (REAL)__builtin_sqrt((double)dot(area, area)) > tolerance * length_x * length_p;
    if (!steps.first)
        return steps;
    const REAL *along = has_x ? x : p;
    steps.length = has_x ? length_x : length_p;
    for (int k = 0; k < 3; k++) {
        steps.u[k] = along[k] / steps.length;
        steps.s[k] = p[k];
    }
    if (!steps.plane)
        return steps;
    /* Twice: if the vectors are almost parallel, one step leaves rounding errors of eps / sine along u. */
    for (int step = 0; step < 2; step++) {
        const REAL part = dot(steps.s, steps.u);
        for (int k = 0; k < 3; k++)
            steps.s[k] -= part * steps.u[k];
        steps.lengths[step] = (REAL)__builtin_sqrt((double)dot(steps.s, steps.s));
        for (int k = 0; k < 3; k++)
            steps.s[k] /= steps.lengths[step];
        if (!step)
            for (int k = 0; k < 3; k++)
                steps.between[k] = steps.s[k];
    }
    cross(steps.u, steps.s, steps.t);
    return steps;
}

EXPORT void NAME(frames_forward)(const Frames *frames)
{
    for (int64_t i = 0; i < frames->count; i++) {
        const Steps steps = NAME(steps)(frames, i);
        REAL *axes = frames->axes + 9 * i;
        for (int k = 0; k < 3; k++) {
            axes[k] = steps.first ? steps.u[k] : 0;
            axes[3 + k] = steps.plane ? steps.s[k] : 0;
            axes[6 + k] = steps.plane ? steps.t[k] : 0;
        }
        uint8_t *defined = frames->defined + 3 * i;
        defined[0] = steps.first != 0, defined[1] = defined[2] = steps.plane != 0;
    }
}

/* Replace the gradient of v / length by that of v. */
INLINE void NAME(unit_backward)(const REAL *unit, REAL length, REAL *gradient)
{
    const REAL along = dot(unit, gradient);
    for (int k = 0; k < 3; k++)
        gradient[k] = (gradient[k] - along * unit[k]) / length;
}

EXPORT void NAME(frames_backward)(const Frames *frames)
{
    for (int64_t i = 0; i < frames->count; i++) {
        const Steps steps = NAME(steps)(frames, i);
        const REAL *gradient = frames->gradient + 9 * i;
        REAL *dx = frames->dx + 3 * i, *dp = frames->dp + 3 * i;
        for (int k = 0; k < 3; k++)
            dx[k] = dp[k] = 0;
        if (!steps.first)
            continue;
        REAL du[3] = {gradient[0], gradient[1], gradient[2]};
        if (steps.plane) {
            /* t = u × s */
            REAL ds[3], more[3];
            cross(steps.s, gradient + 6, more);
            cross(gradient + 6, steps.u, ds);
            for (int k = 0; k < 3; k++) {
                du[k] += more[k];
                ds[k] += gradient[3 + k];
            }
            for (int step = 1; step >= 0; step--) {
                const REAL *before = step ? steps.between : frames->p + 3 * i;
                NAME(unit_backward)(step ? steps.s : steps.between, steps.lengths[step], ds);
                const REAL part = dot(before, steps.u), along = dot(ds, steps.u);
                for (int k = 0; k < 3; k++) {
                    du[k] -= part * ds[k] + along * before[k];
                    ds[k] -= along * steps.u[k];
                }
            }
            for (int k = 0; k < 3; k++)
                dp[k] = ds[k];
        }
        NAME(unit_backward)(steps.u, steps.length, du);
        REAL *to = steps.of_p ? dp : dx;
        for (int k = 0; k < 3; k++)
            to[k] += du[k];
    }
}
