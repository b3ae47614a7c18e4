/* nb_ethosu.h: Arm Ethos-U55: register map, the table of jobs, and what the driver waits for.
 *
 * Register offsets and fields: Arm Ethos-U55 NPU Technical Reference Manual (Arm 102420). board.toml
 * gives
 *   NB_ETHOSU_BASE            address of the register page
 *   NB_ETHOSU_RESET           PROT after a reset: bit 0 privileged, bit 1 non-secure
 *   NB_ETHOSU_WAIT_SEMIHOST   1 on the virtual board (wait_semihost.c), else wait_poll.c
 */
#ifndef NB_ETHOSU_H
#define NB_ETHOSU_H

#include <stdint.h>

#include "nb_board.h"

#ifndef NB_ETHOSU_RESET
#define NB_ETHOSU_RESET 1u
#endif
#ifndef NB_ETHOSU_WAIT_SEMIHOST
#define NB_ETHOSU_WAIT_SEMIHOST 0
#endif

#define NB_ETHOSU_REGISTER(offset)                                                                 \
    (*(volatile uint32_t *)((uintptr_t)NB_ETHOSU_BASE + (uintptr_t)(offset)))

enum {
    NB_ETHOSU_ID = 0x000,
    NB_ETHOSU_STATUS = 0x004,
    NB_ETHOSU_CMD = 0x008,
    NB_ETHOSU_RESET_REQUEST = 0x00C,
    NB_ETHOSU_QBASE = 0x010, /* 64 bits */
    NB_ETHOSU_QREAD = 0x018,
    NB_ETHOSU_QCONFIG = 0x01C,
    NB_ETHOSU_QSIZE = 0x020,
    NB_ETHOSU_PROT = 0x024,
    NB_ETHOSU_CONFIG = 0x028,
    NB_ETHOSU_REGIONCFG = 0x03C,
    NB_ETHOSU_AXI_LIMIT = 0x040, /* four */
    NB_ETHOSU_BASEP = 0x080,     /* eight, 64 bits each */
    NB_ETHOSU_PMCR = 0x180,
    NB_ETHOSU_PMCNTENSET = 0x184,
    NB_ETHOSU_PMCNTENCLR = 0x188,
    NB_ETHOSU_PMOVSSET = 0x18C,
    NB_ETHOSU_PMOVSCLR = 0x190,
    NB_ETHOSU_PMINTSET = 0x194,
    NB_ETHOSU_PMINTCLR = 0x198,
    NB_ETHOSU_PMCCNTR = 0x1A0, /* 48 bits */
    NB_ETHOSU_PMCCNTR_CFG = 0x1A8,
    NB_ETHOSU_PMEVCNTR = 0x300,  /* four */
    NB_ETHOSU_PMEVTYPER = 0x380, /* four */
};

#define NB_ETHOSU_STATUS_RUNNING (1u << 0)
#define NB_ETHOSU_STATUS_IRQ (1u << 1)
#define NB_ETHOSU_STATUS_BUS (1u << 2)
#define NB_ETHOSU_STATUS_RESET (1u << 3)
#define NB_ETHOSU_STATUS_PARSE (1u << 4)
#define NB_ETHOSU_STATUS_END (1u << 5)
#define NB_ETHOSU_STATUS_WEIGHTS (1u << 7)
#define NB_ETHOSU_STATUS_ECC (1u << 8)
#define NB_ETHOSU_STATUS_GONE 0xFFFFFFFFu /* a bus without a device */

#define NB_ETHOSU_CMD_RUN (1u << 0)
#define NB_ETHOSU_CMD_CLEAR_IRQ (1u << 1)
#define NB_ETHOSU_CMD_CLOCK_OFF (1u << 2) /* may stop its clock when idle */
#define NB_ETHOSU_CMD_POWER_OFF (1u << 3) /* may switch itself off when idle */

#define NB_ETHOSU_PMCR_ENABLE (1u << 0)
#define NB_ETHOSU_PMCR_RESET_EVENTS (1u << 1)
#define NB_ETHOSU_PMCR_RESET_CYCLES (1u << 2)
#define NB_ETHOSU_PM_CYCLES (1u << 31)
#define NB_ETHOSU_EVENTS 4u

/* A job of the generated table: Vela's command stream with its driver payload, 16-byte aligned, and
 * what the base pointers of its regions point at. Sizes in bytes. */
typedef struct {
    const uint8_t *stream;
    uint32_t stream_bytes;
    const uint8_t *constants;
    uint32_t constant_bytes;
    uint8_t *scratch;
    uint32_t scratch_bytes;
    uint8_t *fast_scratch;
    uint32_t fast_scratch_bytes;
} nb_ethosu_job;

/* Generated with the network. Ports: AXI port of the command stream (QCONFIG) and of each region
 * (REGIONCFG, two bits a region); 0 and 1 are port 0, 2 and 3 port 1. */
extern const nb_ethosu_job nb_ethosu_jobs[];
extern const uint32_t nb_ethosu_job_count;
extern const uint32_t nb_ethosu_queue_port;
extern const uint32_t nb_ethosu_region_ports;

/* What the driver waits for. */
typedef enum {
    NB_ETHOSU_WAIT_RESET = 'R', /* STATUS.reset_status to fall */
    NB_ETHOSU_WAIT_JOB = 'J',   /* STATUS.irq_raised to rise */
} nb_ethosu_event;

/* Returns when the event may have come (the caller reads STATUS), and always within a few seconds.
 * 0, or -1 when what should answer is not there. */
int32_t nb_ethosu_wait(nb_ethosu_event event);

#endif
