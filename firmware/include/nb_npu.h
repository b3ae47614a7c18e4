/* nb_npu.h: what an NPU's driver offers to the generated model. Bound at link time from
 * firmware/npu/<driver>/; a plan without an NPU links none.
 *
 * The caller owns all memory. Return 0, or a negative driver error (table in the driver's header).
 */
#ifndef NB_NPU_H
#define NB_NPU_H

#include <stdint.h>

/* From off to ready: power, reset, identity and configuration check. */
int32_t nb_npu_init(void);

/* Bring the input from its place in the arena into the NPU's own memory: part of the stage `load`,
 * called before each run. Only drivers of NPUs with such a memory have it. */
int32_t nb_npu_load(void);

/* Run job `job` of the generated tables to its end, cache maintenance included. */
int32_t nb_npu_run(uint32_t job);

/* NPUs count fewer events at a time than are worth knowing: sets of events take turns. */
#define NB_NPU_SETS 2u
#define NB_NPU_COUNTERS 5u

/* Zero the counters and count the events of `set` (modulo NB_NPU_SETS) from here on. */
void nb_npu_begin(uint32_t set);

/* Sums over every job since nb_npu_begin: cycles, then the set's events in the driver's fixed
 * order; returns how many were written to `counters` (at most `max`). */
uint32_t nb_npu_counters(uint64_t *counters, uint32_t max);

/* Back to the lowest state. */
void nb_npu_off(void);

#endif
