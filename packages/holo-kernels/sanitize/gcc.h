/* Definitions of what the kernels use from clang and gcc lacks; only for the session `sanitize`. */

#define __c11_atomic_load __atomic_load_n
#define __c11_atomic_store __atomic_store_n
#define __c11_atomic_fetch_add __atomic_fetch_add
#define __c11_atomic_compare_exchange_strong(at, expected, wanted, success, failure) \
    __atomic_compare_exchange_n(at, expected, wanted, 0, success, failure)
#define __c11_atomic_compare_exchange_weak(at, expected, wanted, success, failure) \
    __atomic_compare_exchange_n(at, expected, wanted, 1, success, failure)

/* Functions of vectors of doubles, computed number by number. */
#define EACH(first, second, value)                                             \
    __extension__({                                                            \
        __typeof__((first) + (first)) a = (first), b = (second);               \
        for (unsigned long i = 0; i < sizeof a / sizeof a[0]; i++)             \
            a[i] = (value);                                                    \
        a;                                                                     \
    })
#define __builtin_elementwise_sqrt(vector) EACH(vector, a, __builtin_sqrt(a[i]))
#define __builtin_elementwise_min(one, other) EACH(one, other, a[i] < b[i] ? a[i] : b[i])
#define __builtin_elementwise_max(one, other) EACH(one, other, a[i] > b[i] ? a[i] : b[i])
