/* nb_core.h: what the HAL families share: core.c on every core, core_m.c and cache_m.c on Cortex-M,
 * from the Armv7-M and Armv8-M architecture manuals (DDI 0403, DDI 0553) and CMSIS core_cm7.h and
 * core_cm55.h. Nothing here enables an interrupt.
 *
 * These files also bind, of nb_hal.h, nb_hal_wait_us (by the counter; it ends also when that stands
 * still), nb_hal_cache_clean and nb_hal_cache_invalidate, and where the counter is DWT CYCCNT
 * (nb_counter_dwt.h) nb_hal_idle. A family has the rest. */
#ifndef NB_CORE_H
#define NB_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NB_REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))
#define NB_REGISTER8(address) (*(volatile uint8_t *)(uintptr_t)(address))

/* Leave nothing of a boot loader's behind that could wake or interrupt the core: SysTick off, every
 * interrupt disabled and not pending. Then start DWT CYCCNT from 0.
 * False: this core has no cycle counter; nb_hal_counter() stands still. */
bool nb_core_init(void);

/* Wait until `(*where & flags) == value`, `rounds` polls at most (each takes some cycles), so that
 * hardware which never gets ready cannot hang the board. False: it did not. */
bool nb_core_poll(const volatile uint32_t *where, uint32_t flags, uint32_t value, uint32_t rounds);

/* Write back every cache and ask for a system reset (AIRCR.SYSRESETREQ). */
_Noreturn void nb_core_reset(void);

/* L1 caches of Cortex-M7 and M55; nothing on other cores. `on` starts both from empty; what a dirty
 * data cache held is written back first. */
void nb_cache_on(void);
void nb_cache_flush(void);

#if __ARM_ARCH >= 8 && defined(__ARM_ARCH_PROFILE)
/* Memory attributes of a region of the Armv8-M MPU. */
typedef enum {
    NB_MPU_DEVICE, /* Device-nGnRE, never executed */
    NB_MPU_WRITE_THROUGH, /* normal, write-through, read-allocate */
    NB_MPU_WRITE_BACK, /* normal, write-back, read- and write-allocate */
} nb_mpu_kind;

typedef struct {
    uint32_t base; /* multiple of 32 */
    uint32_t limit; /* last byte, multiple of 32 minus 1 */
    nb_mpu_kind kind;
    bool read_only;
} nb_mpu_region;

/* Replace the MPU's regions by these; elsewhere the default memory map holds. Caches are off. */
void nb_mpu_set(const nb_mpu_region *regions, uint32_t count);
#endif

#endif
