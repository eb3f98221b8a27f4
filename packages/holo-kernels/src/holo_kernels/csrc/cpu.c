/* Find which x86-64 instruction sets this processor and its operating system support. */

#include <stdint.h>

#include "export.h"

static void cpuid(uint32_t leaf, uint32_t subleaf, uint32_t registers[4])
{
    __asm__ volatile("cpuid"
                     : "=a"(registers[0]), "=b"(registers[1]), "=c"(registers[2]), "=d"(registers[3])
                     : "a"(leaf), "c"(subleaf));
}

static int has(uint32_t value, uint32_t bits) { return (value & bits) == bits; }

/* The psABI's level: 4 (AVX-512), 3 (AVX2 and FMA), or 0 for less than either. */
EXPORT int32_t x86_64_level(void)
{
    uint32_t leaf0[4], leaf1[4], leaf7[4], extended[4], low, high;
    cpuid(0, 0, leaf0);
    if (leaf0[0] < 7)
        return 0;
    cpuid(1, 0, leaf1);
    cpuid(7, 0, leaf7);
    cpuid(0x80000001u, 0, extended);
    /* FMA, MOVBE, OSXSAVE, AVX, F16C; BMI1, AVX2, BMI2; LZCNT */
    if (!has(leaf1[2], 1u << 12 | 1u << 22 | 1u << 27 | 1u << 28 | 1u << 29) ||
        !has(leaf7[1], 1u << 3 | 1u << 5 | 1u << 8) || !has(extended[2], 1u << 5))
        return 0;
    /* The operating system must save the registers too. */
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    if (!has(low, 0x6))
        return 0;
    /* AVX-512 F, DQ, CD, BW, VL */
    if (has(leaf7[1], 1u << 16 | 1u << 17 | 1u << 28 | 1u << 30 | 1u << 31) && has(low, 0xe6))
        return 4;
    return 3;
}
