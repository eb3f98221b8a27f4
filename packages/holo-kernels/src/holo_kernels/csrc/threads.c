/* Threads that share pieces of work, one after another, and stay awake for a while after them.
 *
 * There is no C library here to start or to wake a thread: Python does both. What takes part in a piece of work and
 * what waits for it happens here, without Python's lock. No part belongs to a thread: whoever is free takes the next one, so
 * nobody waits for a thread that has no processor, and a caller whose helpers all sleep does everything by itself.
 */

#include <stddef.h>
#include <stdint.h>

#include "export.h"

/* Part `part` of `parts` of some work. */
typedef void (*Work)(const void *argument, int64_t part, int64_t parts);

typedef struct {
    Work work;
    const void *argument;
    int64_t parts;
} Piece;

enum { AWAKE, ASLEEP };

typedef struct {
    _Atomic int64_t state;
    int64_t apart[7]; /* each on a cache line of its own */
} Helper;

/* The caller of a piece of work and its helpers. */
typedef struct {
    Work work;
    const void *argument;
    _Atomic uint64_t ticket; /* which piece of work it is, how many parts it has (16 bits), which is next (16 bits) */
    _Atomic int64_t done;    /* parts of it */
    int64_t helper_count;
    int64_t apart[3];
    Helper helpers[];
} Team;

static inline int64_t parts_of(uint64_t ticket) { return (int64_t)(ticket >> 16 & 0xffff); }

static inline int64_t next_of(uint64_t ticket) { return (int64_t)(ticket & 0xffff); }

static inline void pause(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb"); /* `yield` does nothing on most processors */
#endif
}

/* Take the next part and do it; say whether there was one. */
static int take_part(Team *team)
{
    uint64_t ticket = __c11_atomic_load(&team->ticket, __ATOMIC_SEQ_CST);
    while (next_of(ticket) < parts_of(ticket)) {
        /* They stay what they are as long as a part is left, and if none is, the exchange fails. */
        const Work work = team->work;
        const void *argument = team->argument;
        if (__c11_atomic_compare_exchange_weak(&team->ticket, &ticket, ticket + 1, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
            work(argument, next_of(ticket), parts_of(ticket));
            __c11_atomic_fetch_add(&team->done, 1, __ATOMIC_ACQ_REL);
            return 1;
        }
    }
    return 0;
}

EXPORT int64_t team_bytes(int64_t helpers) { return (int64_t)(sizeof(Team) + (uint64_t)helpers * sizeof(Helper)); }

/* In memory that is all zeros; every helper is asleep. */
EXPORT void team_make(Team *team, int64_t helpers)
{
    team->helper_count = helpers;
    for (int64_t i = 0; i < helpers; i++)
        team->helpers[i].state = ASLEEP;
}

/* Wait for so many turns: how long that takes is for the caller to measure. */
EXPORT void team_wait(int64_t turns)
{
    for (; turns > 0; turns--)
        pause();
}

/* Let whoever is awake take part in a piece of work. */
static void offer(Team *team, const Piece *piece)
{
    const uint64_t last = __c11_atomic_load(&team->ticket, __ATOMIC_RELAXED) >> 32;
    team->work = piece->work;
    team->argument = piece->argument;
    __c11_atomic_store(&team->done, 0, __ATOMIC_RELAXED);
    __c11_atomic_store(&team->ticket, (last + 1) << 32 | (uint64_t)piece->parts << 16, __ATOMIC_SEQ_CST);
}

/* Do what parts are left, and wait for those that others do. */
static void finish(Team *team)
{
    while (take_part(team))
        ;
    const int64_t parts = parts_of(__c11_atomic_load(&team->ticket, __ATOMIC_RELAXED));
    while (__c11_atomic_load(&team->done, __ATOMIC_ACQUIRE) < parts)
        pause();
}

/* Begin with a piece of work; `asleep` says of each helper whether the caller must wake it. */
EXPORT void team_begin(Team *team, const Piece *piece, char *asleep)
{
    offer(team, piece);
    for (int64_t i = 0; i < team->helper_count; i++) {
        int64_t state = ASLEEP;
        asleep[i] = __c11_atomic_compare_exchange_strong(&team->helpers[i].state, &state, AWAKE, __ATOMIC_SEQ_CST,
                                                         __ATOMIC_SEQ_CST);
    }
}

/* Finish it, then do so many others, each when the one before is done. */
EXPORT void team_finish(Team *team, const Piece *others, int64_t count)
{
    finish(team);
    for (int64_t i = 0; i < count; i++) {
        offer(team, others + i);
        finish(team);
    }
}

/* A helper: do what there is to do, until there was nothing for so many turns. */
EXPORT void team_help(Team *team, int64_t helper, int64_t turns)
{
    _Atomic int64_t *state = &team->helpers[helper].state;
    for (int64_t waited = 0; waited < turns; waited++) {
        while (take_part(team))
            waited = 0;
        pause();
    }
    __c11_atomic_store(state, ASLEEP, __ATOMIC_SEQ_CST);
    /* Work that came in the last moment: its caller may have seen this helper awake. */
    while (take_part(team))
        ;
}
