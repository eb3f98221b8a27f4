/* Threads that share a piece of work, and stay awake for a while after it.
 *
 * There is no C library here to start or to wake a thread: Python does both. What takes part in a piece of work and
 * what waits for it happens here, without Python's lock.
 */

#include <stddef.h>
#include <stdint.h>

#include "export.h"

/* Part `part` of `parts` of some work. */
typedef void (*Work)(const void *argument, int64_t part, int64_t parts);

/* Work for the threads of OpenMP, which torch's own operations run in, with two functions of its library. */
typedef struct {
    Work work;
    const void *argument;
    int64_t parts;
    int (*thread)(void);
    int (*threads)(void);
} Job;

/* What every thread of an OpenMP team runs; there may be fewer of them than parts. */
EXPORT void openmp_thread(const Job *job)
{
    for (int64_t part = job->thread(); part < job->parts; part += job->threads())
        job->work(job->argument, part, job->parts);
}

/* What a helper is doing. */
enum { ASLEEP, AWAKE, WORKING };

typedef struct {
    _Atomic int64_t state;
    int64_t apart[7]; /* each on a cache line of its own */
} Helper;

/* The caller of a piece of work and its helpers; helper i takes part i. */
typedef struct {
    Work work;
    const void *argument;
    int64_t parts;
    _Atomic int64_t unfinished;
    int64_t apart[4];
    Helper helpers[];
} Team;

static inline void pause(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb"); /* `yield` does nothing on most processors */
#endif
}

EXPORT int64_t team_bytes(int64_t helpers) { return (int64_t)(sizeof(Team) + helpers * sizeof(Helper)); }

/* Wait for so many turns: how long that takes is for the caller to measure. */
EXPORT void team_wait(int64_t turns)
{
    for (; turns > 0; turns--)
        pause();
}

/* Give work to the first parts - 1 helpers; `asleep` says of each whether the caller must wake it. */
EXPORT void team_begin(Team *team, Work work, const void *argument, int64_t parts, char *asleep)
{
    team->work = work;
    team->argument = argument;
    team->parts = parts;
    __c11_atomic_store(&team->unfinished, parts - 1, __ATOMIC_RELAXED);
    for (int64_t i = 0; i < parts - 1; i++)
        asleep[i] = __c11_atomic_exchange(&team->helpers[i].state, WORKING, __ATOMIC_ACQ_REL) == ASLEEP;
}

/* Do the last part, and wait for the helpers. */
EXPORT void team_finish(Team *team)
{
    team->work(team->argument, team->parts - 1, team->parts);
    while (__c11_atomic_load(&team->unfinished, __ATOMIC_ACQUIRE))
        pause();
}

/* A helper: do what there is to do, until there was nothing for so many turns. */
EXPORT void team_help(Team *team, int64_t helper, int64_t turns)
{
    _Atomic int64_t *state = &team->helpers[helper].state;
    int64_t waited = 0, seen;
    do {
        seen = __c11_atomic_load(state, __ATOMIC_ACQUIRE);
        if (seen == WORKING) {
            team->work(team->argument, helper, team->parts);
            /* Awake before the caller can know that the part is done: it may come again at once. */
            __c11_atomic_store(state, AWAKE, __ATOMIC_RELAXED);
            __c11_atomic_fetch_sub(&team->unfinished, 1, __ATOMIC_ACQ_REL);
            waited = 0;
        }
        pause();
    } while (waited++ < turns || !__c11_atomic_compare_exchange_strong(state, &seen, ASLEEP, __ATOMIC_ACQ_REL,
                                                                       __ATOMIC_ACQUIRE));
}
