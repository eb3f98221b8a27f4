/* Threads that share pieces of work, one piece after another, and stay awake for a while afterwards.
 *
 * There is no C library here to start or wake a thread, so Python does both. Taking parts of a piece of work and
 * waiting for it happen here, without Python's lock. No part is assigned to a thread: whichever is free takes the next
 * one, so nobody waits for a thread that has no processor, and a caller whose helpers are all asleep does everything by
 * itself.
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
    int64_t apart[7]; /* so that each helper has its own cache line */
} Helper;

/* The caller of a piece of work and its helpers. */
typedef struct {
    Work work;
    const void *argument;
    _Atomic uint64_t ticket; /* number of the piece, its number of parts (16 bits), its next part (16 bits) */
    _Atomic int64_t done;    /* number of its parts that are done */
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

/* Take the next part and do it; return whether there was one. */
static int take_part(Team *team)
{
    uint64_t ticket = __c11_atomic_load(&team->ticket, __ATOMIC_SEQ_CST);
    while (next_of(ticket) < parts_of(ticket)) {
        /* Both stay unchanged as long as a part is left; if none is, the exchange fails. */
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

/* Initialize a team, in memory that is all zeros; every helper starts asleep. */
EXPORT void team_make(Team *team, int64_t helpers)
{
    team->helper_count = helpers;
    for (int64_t i = 0; i < helpers; i++)
        team->helpers[i].state = ASLEEP;
}

/* Wait for a number of turns, which the caller has timed. */
EXPORT void team_wait(int64_t turns)
{
    for (; turns > 0; turns--)
        pause();
}

/* Offer a piece of work to every thread that is awake. */
static void offer(Team *team, const Piece *piece)
{
    const uint64_t last = __c11_atomic_load(&team->ticket, __ATOMIC_RELAXED) >> 32;
    team->work = piece->work;
    team->argument = piece->argument;
    __c11_atomic_store(&team->done, 0, __ATOMIC_RELAXED);
    __c11_atomic_store(&team->ticket, (last + 1) << 32 | (uint64_t)piece->parts << 16, __ATOMIC_SEQ_CST);
}

/* Do the parts that are left, and wait for those that others are doing. */
static void finish(Team *team)
{
    while (take_part(team))
        ;
    const int64_t parts = parts_of(__c11_atomic_load(&team->ticket, __ATOMIC_RELAXED));
    while (__c11_atomic_load(&team->done, __ATOMIC_ACQUIRE) < parts)
        pause();
}

/* Begin a piece of work; `asleep` returns, for each helper, whether the caller must wake it. */
EXPORT void team_begin(Team *team, const Piece *piece, char *asleep)
{
    offer(team, piece);
    for (int64_t i = 0; i < team->helper_count; i++) {
        int64_t state = ASLEEP;
        asleep[i] = __c11_atomic_compare_exchange_strong(&team->helpers[i].state, &state, AWAKE, __ATOMIC_SEQ_CST,
                                                         __ATOMIC_SEQ_CST);
    }
}

/* Finish the piece, then do `count` others, each when the one before is done. */
EXPORT void team_finish(Team *team, const Piece *others, int64_t count)
{
    finish(team);
    for (int64_t i = 0; i < count; i++) {
        offer(team, others + i);
        finish(team);
    }
}

/* The loop of a helper: take parts until there have been none for `turns` turns. */
EXPORT void team_help(Team *team, int64_t helper, int64_t turns)
{
    _Atomic int64_t *state = &team->helpers[helper].state;
    for (int64_t waited = 0; waited < turns; waited++) {
        while (take_part(team))
            waited = 0;
        pause();
    }
    __c11_atomic_store(state, ASLEEP, __ATOMIC_SEQ_CST);
    /* Work may have come in the last moment, when its caller still saw this helper awake. */
    while (take_part(team))
        ;
}
