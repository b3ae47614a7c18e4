/* cache_m.c: the L1 caches of Cortex-M7 and M55. On other cores every function does nothing: the CPU
 * alone reads and writes memory there. Empty under an operating system.
 *
 * Register addresses, bits and the order of operations: CMSIS core_cm7.h, core_cm55.h and
 * armv7m_cachel1.h. Lines of 32 bytes; set from bit 5 of a set/way word, way at its top. */
#include "nb_core.h"

#include "nb_board.h"
#include "nb_hal.h"

#if !defined(__unix__) && !defined(__APPLE__)

#if defined(__ARM_ARCH_PROFILE) && __ARM_ARCH_PROFILE == 'M' &&                                    \
    (defined(__ARM_ARCH_7EM__) || defined(__ARM_FEATURE_MVE)) && defined(NB_L1_CACHES)
#define HAS_CACHES 1
#else
#define HAS_CACHES 0
#endif

#if HAS_CACHES
#define LINE 32u
#define SCB_CCR NB_REGISTER(0xE000ED14u)
#define CCR_DC (1u << 16)
#define CCR_IC (1u << 17)
#define SCB_CCSIDR NB_REGISTER(0xE000ED80u)
#define SCB_CSSELR NB_REGISTER(0xE000ED84u)
#define SCB_ICIALLU NB_REGISTER(0xE000EF50u)
#define SCB_DCIMVAC NB_REGISTER(0xE000EF5Cu)
#define SCB_DCISW NB_REGISTER(0xE000EF60u)
#define SCB_DCCMVAC NB_REGISTER(0xE000EF68u)
#define SCB_DCCIMVAC NB_REGISTER(0xE000EF70u)
#define SCB_DCCISW NB_REGISTER(0xE000EF74u)

#define BARRIER() __asm volatile("dsb\n isb" ::: "memory")

/* Write every set and way to a register, with nothing on the stack: it may itself be cached. */
static inline __attribute__((always_inline)) void each_line(volatile uint32_t *operation)
{
    SCB_CSSELR = 0; /* the data cache of level 1 */
    BARRIER();
    const uint32_t size = SCB_CCSIDR;
    const uint32_t last_set = (size >> 13) & 0x7FFFu;
    const uint32_t last_way = (size >> 3) & 0x3FFu;
    const uint32_t shift = last_way == 0 ? 0 : (uint32_t)__builtin_clz(last_way);
    for (uint32_t set = 0; set <= last_set; set++) {
        for (uint32_t way = 0; way <= last_way; way++) {
            *operation = (way << shift) | (set << 5);
        }
    }
    BARRIER();
}
#endif

/* Nothing is dirty when the data cache goes off but what this function itself could push, and it
 * pushes nothing in between. */
void nb_cache_on(void)
{
#if HAS_CACHES
    if ((SCB_CCR & CCR_DC) != 0) {
        each_line(&SCB_DCCISW);
        SCB_CCR &= ~CCR_DC;
        each_line(&SCB_DCCISW);
    }
    BARRIER();
    SCB_CCR &= ~CCR_IC;
    SCB_ICIALLU = 0;
    BARRIER();
    SCB_CCR |= CCR_IC;
    each_line(&SCB_DCISW);
    SCB_CCR |= CCR_DC;
    BARRIER();
#endif
}

void nb_cache_flush(void)
{
#if HAS_CACHES
    if ((SCB_CCR & CCR_DC) != 0) {
        each_line(&SCB_DCCISW);
    }
#endif
}

void nb_hal_cache_clean(const void *data, size_t bytes)
{
#if HAS_CACHES
    const uintptr_t end = (uintptr_t)data + bytes;
    __asm volatile("dsb" ::: "memory");
    for (uintptr_t line = (uintptr_t)data & ~(uintptr_t)(LINE - 1u); line < end; line += LINE) {
        SCB_DCCMVAC = line;
    }
    BARRIER();
#else
    (void)data;
    (void)bytes;
#endif
}

/* A line that the range shares with something else is written back before it is dropped. */
void nb_hal_cache_invalidate(void *data, size_t bytes)
{
#if HAS_CACHES
    const uintptr_t begin = (uintptr_t)data;
    const uintptr_t end = begin + bytes;
    __asm volatile("dsb" ::: "memory");
    for (uintptr_t line = begin & ~(uintptr_t)(LINE - 1u); line < end; line += LINE) {
        if (line < begin || end - line < LINE) {
            SCB_DCCIMVAC = line;
        } else {
            SCB_DCIMVAC = line;
        }
    }
    BARRIER();
#else
    (void)data;
    (void)bytes;
#endif
}

#endif
