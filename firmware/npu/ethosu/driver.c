/* driver.c: runs Vela's command streams on an Ethos-U55 or U65, from the register description alone. Returns
 * negative NB_ETHOSU_E_... numbers (errors.toml). One job at a time, no interrupt of its own. */
#include <stdbool.h>
#include <stddef.h>

#include "nb_ethosu.h"
#include "nb_ethosu_errors.h"
#include "nb_hal.h"
#include "nb_npu.h"

#define REG NB_ETHOSU_REGISTER

#define COP1 0x31504F43u
#define ACTION_CONFIG 0x01u
#define ACTION_STREAM 0x02u
#define ACTION_NOP 0x05u
#define STREAM_ALIGN 16u
#define ARCH_MASK 0xFFFF0000u /* architecture major and minor of ID and of a payload */
#define ARCH_SHIFT 16u
#define PRODUCT_SHIFT 28u
#define PRODUCT_U65 1u /* 0 is the U55 */
/* 64-byte bursts; reads and writes outstanding, as Arm's own driver sets them: 32 and 16, on the
 * U65 64 and 32 */
#define AXI_LIMIT_U55 0x0F1F0000u
#define AXI_LIMIT_U65 0x1F3F0000u

/* Events of the two sets that a run can count; four counters are all there is. */
static const uint16_t events[NB_NPU_SETS][NB_ETHOSU_EVENTS] = {
    /* NPU active, MAC active, beats read and written on AXI port 0 */
    {0x023, 0x030, 0x082, 0x087},
    /* beats read on AXI port 1, NPU idle, MAC stalled by input and by weights */
    {0x182, 0x020, 0x037, 0x035},
};
static uint64_t counters[1 + NB_ETHOSU_EVENTS];
static uint32_t event_set;

static void barrier(void)
{
    __asm volatile("dsb" ::: "memory");
}

static void write64(uint32_t offset, const void *pointer)
{
    const uint64_t value = (uint64_t)(uintptr_t)pointer;
    REG(offset) = (uint32_t)value;
    REG(offset + 4u) = (uint32_t)(value >> 32);
}

static int32_t decode_fault(uint32_t status)
{
    if (status == NB_ETHOSU_STATUS_GONE) {
        return -NB_ETHOSU_E_GONE;
    }
    if (status & NB_ETHOSU_STATUS_BUS) {
        return -NB_ETHOSU_E_BUS;
    }
    if (status & NB_ETHOSU_STATUS_PARSE) {
        return -NB_ETHOSU_E_PARSE;
    }
    if (status & NB_ETHOSU_STATUS_WEIGHTS) {
        return -NB_ETHOSU_E_WEIGHTS;
    }
    if (status & NB_ETHOSU_STATUS_ECC) {
        return -NB_ETHOSU_E_ECC;
    }
    return 0;
}

/* Read afresh, so that a bus without a device is not taken for a state. */
static int32_t reset(void)
{
    REG(NB_ETHOSU_RESET_REQUEST) = NB_ETHOSU_RESET;
    barrier();
    if (nb_ethosu_wait(NB_ETHOSU_WAIT_RESET) != 0) {
        return -NB_ETHOSU_E_GONE;
    }
    const uint32_t status = REG(NB_ETHOSU_STATUS);
    if (status == NB_ETHOSU_STATUS_GONE) {
        return -NB_ETHOSU_E_GONE;
    }
    if ((status & NB_ETHOSU_STATUS_RESET) != 0 || REG(NB_ETHOSU_PROT) != NB_ETHOSU_RESET) {
        return -NB_ETHOSU_E_RESET;
    }
    return 0;
}

int32_t nb_npu_init(void)
{
    const int32_t error = reset();
    if (error != 0) {
        return error;
    }
    const uint32_t product = REG(NB_ETHOSU_CONFIG) >> PRODUCT_SHIFT;
    if (product > PRODUCT_U65) {
        return -NB_ETHOSU_E_PRODUCT;
    }
    for (uint32_t i = 0; i < 4; i++) {
        REG(NB_ETHOSU_AXI_LIMIT + 4u * i) =
            product == PRODUCT_U65 ? AXI_LIMIT_U65 : AXI_LIMIT_U55;
    }
    /* clock and power stay on between jobs: every job costs the same */
    REG(NB_ETHOSU_CMD) = 0;
    for (uint32_t i = 0; i < nb_ethosu_job_count; i++) {
        nb_hal_cache_clean(nb_ethosu_jobs[i].stream, nb_ethosu_jobs[i].stream_bytes);
        nb_hal_cache_clean(nb_ethosu_jobs[i].constants, nb_ethosu_jobs[i].constant_bytes);
    }
    nb_npu_begin(0);
    return 0;
}

/* The command stream in a payload, checked against the hardware. */
static int32_t find_stream(const nb_ethosu_job *job, const uint8_t **stream, uint32_t *bytes)
{
    const uint32_t *const words = (const uint32_t *)(const void *)job->stream;
    const uint32_t count = job->stream_bytes / 4u;
    bool configured = false;
    if (count == 0 || words[0] != COP1) {
        return -NB_ETHOSU_E_PAYLOAD;
    }
    for (uint32_t i = 1; i < count; i++) {
        const uint32_t tag = words[i];
        switch (tag & 0xFFu) {
        case ACTION_NOP:
            break;
        case ACTION_CONFIG:
            if (count - i <= 2) {
                return -NB_ETHOSU_E_PAYLOAD;
            }
            if (words[i + 1] != REG(NB_ETHOSU_CONFIG)) {
                return -NB_ETHOSU_E_CONFIG;
            }
            if (((words[i + 2] ^ REG(NB_ETHOSU_ID)) & ARCH_MASK) != 0) {
                return -NB_ETHOSU_E_ARCHITECTURE;
            }
            configured = true;
            i += 2;
            break;
        case ACTION_STREAM: {
            const uint32_t length = (tag >> 16) | (tag & 0xFF00u) << 8;
            *stream = job->stream + 4u * (i + 1u);
            *bytes = 4u * length;
            if (!configured || length == 0 || length > count - i - 1u) {
                return -NB_ETHOSU_E_PAYLOAD;
            }
            return (uintptr_t)*stream % STREAM_ALIGN != 0 ? -NB_ETHOSU_E_ALIGNMENT : 0;
        }
        default:
            return -NB_ETHOSU_E_PAYLOAD;
        }
    }
    return -NB_ETHOSU_E_PAYLOAD;
}

static void start_counters(void)
{
    REG(NB_ETHOSU_PMCR) =
        NB_ETHOSU_PMCR_ENABLE | NB_ETHOSU_PMCR_RESET_EVENTS | NB_ETHOSU_PMCR_RESET_CYCLES;
    for (uint32_t i = 0; i < NB_ETHOSU_EVENTS; i++) {
        REG(NB_ETHOSU_PMEVTYPER + 4u * i) = events[event_set][i];
    }
    REG(NB_ETHOSU_PMOVSCLR) = NB_ETHOSU_PM_CYCLES | ((1u << NB_ETHOSU_EVENTS) - 1u);
    REG(NB_ETHOSU_PMCNTENSET) = NB_ETHOSU_PM_CYCLES | ((1u << NB_ETHOSU_EVENTS) - 1u);
}

static void add_counters(void)
{
    counters[0] += REG(NB_ETHOSU_PMCCNTR) | (uint64_t)(REG(NB_ETHOSU_PMCCNTR + 4u) & 0xFFFFu) << 32;
    for (uint32_t i = 0; i < NB_ETHOSU_EVENTS; i++) {
        counters[1 + i] += REG(NB_ETHOSU_PMEVCNTR + 4u * i);
    }
}

static int32_t finish(void)
{
    const uint32_t status = REG(NB_ETHOSU_STATUS);
    const int32_t fault = decode_fault(status);
    if (fault != 0) {
        (void)reset();
        return fault;
    }
    if ((status & NB_ETHOSU_STATUS_IRQ) == 0) {
        (void)reset();
        return -NB_ETHOSU_E_LATE;
    }
    REG(NB_ETHOSU_CMD) = NB_ETHOSU_CMD_CLEAR_IRQ;
    if ((status & NB_ETHOSU_STATUS_END) == 0 || REG(NB_ETHOSU_QREAD) != REG(NB_ETHOSU_QSIZE)) {
        return -NB_ETHOSU_E_UNFINISHED;
    }
    add_counters();
    return 0;
}

int32_t nb_npu_run(uint32_t job_number)
{
    const uint8_t *stream = NULL;
    uint32_t stream_bytes = 0;
    if (job_number >= nb_ethosu_job_count) {
        return -NB_ETHOSU_E_JOB;
    }
    const nb_ethosu_job *const job = &nb_ethosu_jobs[job_number];
    const int32_t error = find_stream(job, &stream, &stream_bytes);
    if (error != 0) {
        return error;
    }
    if (((uintptr_t)job->constants | (uintptr_t)job->scratch | (uintptr_t)job->fast_scratch) %
            STREAM_ALIGN !=
        0) {
        return -NB_ETHOSU_E_ALIGNMENT;
    }
    nb_hal_cache_clean(job->scratch, job->scratch_bytes);
    write64(NB_ETHOSU_QBASE, stream);
    REG(NB_ETHOSU_QSIZE) = stream_bytes;
    REG(NB_ETHOSU_QCONFIG) = nb_ethosu_queue_port;
    write64(NB_ETHOSU_BASEP, job->constants);
    write64(NB_ETHOSU_BASEP + 8u, job->scratch);
    write64(NB_ETHOSU_BASEP + 16u, job->fast_scratch);
    REG(NB_ETHOSU_REGIONCFG) = nb_ethosu_region_ports;
    start_counters();
    barrier();
    REG(NB_ETHOSU_CMD) = NB_ETHOSU_CMD_RUN;
    barrier();
    if (nb_ethosu_wait(NB_ETHOSU_WAIT_JOB) != 0) {
        return -NB_ETHOSU_E_GONE;
    }
    const int32_t result = finish();
    nb_hal_cache_invalidate(job->scratch, job->scratch_bytes);
    return result;
}

void nb_npu_begin(uint32_t set)
{
    event_set = set % NB_NPU_SETS;
    for (uint32_t i = 0; i < 1 + NB_ETHOSU_EVENTS; i++) {
        counters[i] = 0;
    }
}

uint32_t nb_npu_counters(uint64_t *values, uint32_t max)
{
    uint32_t i = 0;
    while (i < max && i < 1 + NB_ETHOSU_EVENTS) {
        values[i] = counters[i];
        i++;
    }
    return i;
}

void nb_npu_off(void)
{
    REG(NB_ETHOSU_CMD) = NB_ETHOSU_CMD_CLOCK_OFF | NB_ETHOSU_CMD_POWER_OFF;
    barrier();
}
