/* driver.c: the CNN accelerator of MAX78000 and MAX78002 behind nb_npu.h, around the C that ADI's
 * ai8xize generates (cnn.c, cnn.h, weights.h).
 *
 * The input is written into the accelerator's data memories while it stands still (they have one
 * port), in the stage `load`; the network's int8 become the accelerator's by a table, its output
 * becomes the network's int8 by one multiplication per value. Errors: -1 the tool's code reports a
 * failure, -2 the accelerator does not come to an end, -3 no such job. */
#include <stddef.h>

#include "mxc.h" /* before cnn.h, which uses its types */

#include "cnn.h"
#include "nb_hal.h"
#include "nb_max7800x_config.h"
#include "nb_npu.h"

#define E_FAILED (-1)
#define E_TIMEOUT (-2)
#define E_JOB (-3)

#define ROUNDS 20000000u
#define CONTROL_DONE (1u << 12) /* of the first quadrant */
#define DATA(quadrant, instance)                                                                   \
    (NB_MAX_DATA + (quadrant) * NB_MAX_QUADRANT_BYTES + (instance) * NB_MAX_INSTANCE_BYTES)
#define INSTANCES 4u /* per quadrant, each for four processors */
#define LANES 4u     /* channels in a word */
#define REGISTER(address) (*(volatile uint32_t *)(address))

extern uint8_t nb_arena[];
extern const int8_t nb_max7800x_input_table[256];

/* In the generated cnn.c, but in no header of it. */
void CNN_ISR(void);

/* The generated code's own: the time that it would have measured. */
extern volatile uint32_t cnn_time;
volatile uint32_t cnn_time;

static uint32_t unloaded[NB_MAX_OUTPUTS];

/* The MAX78002's accelerator computes at the PLL's 200 MHz, and is loaded at a quarter of that, as
 * ADI's tool does it by default. The MAX78000's has the peripherals' clock. */
#if NB_MAX_PLL
#define SOURCE MXC_S_GCR_PCLKDIV_CNNCLKSEL_IPLL
#define LOAD_DIVIDER MXC_S_GCR_PCLKDIV_CNNCLKDIV_DIV4
static void divide_clock(uint32_t divider)
{
    MXC_GCR->pclkdiv = (MXC_GCR->pclkdiv & ~MXC_F_GCR_PCLKDIV_CNNCLKDIV) | divider;
}
static void switch_pll(uint32_t on)
{
    MXC_GCR->ipll_ctrl = (MXC_GCR->ipll_ctrl & ~MXC_F_GCR_IPLL_CTRL_EN) | on;
}
#else
#define SOURCE MXC_S_GCR_PCLKDIV_CNNCLKSEL_PCLK
#define LOAD_DIVIDER MXC_S_GCR_PCLKDIV_CNNCLKDIV_DIV1
#define divide_clock(divider) ((void)(divider))
#define switch_pll(on) ((void)(on))
#endif

int32_t nb_npu_init(void)
{
    switch_pll(MXC_F_GCR_IPLL_CTRL_EN);
    if (cnn_enable(SOURCE, LOAD_DIVIDER) != CNN_OK || cnn_init() != CNN_OK ||
        cnn_load_weights() != CNN_OK || cnn_load_bias() != CNN_OK || cnn_configure() != CNN_OK) {
        return E_FAILED;
    }
    return 0;
}

/* Channel c of a pixel: pass c / processors, on processor c % processors; four processors share an
 * instance and a word; the passes of a pixel follow one another. Only whole words may be written. */
static void write_input(const uint8_t *input)
{
    for (uint32_t pass = 0; pass < NB_MAX_PASSES; pass++) {
        for (uint32_t first = 0; first < NB_MAX_PROCESSORS; first += LANES) {
            const uint32_t instance = first / LANES;
            volatile uint32_t *words = &REGISTER(DATA(instance / INSTANCES, instance % INSTANCES));
            for (uint32_t pixel = 0; pixel < NB_MAX_PIXELS; pixel++) {
                uint32_t word = 0;
                for (uint32_t lane = 0; lane < LANES && first + lane < NB_MAX_PROCESSORS; lane++) {
                    const uint32_t channel = pass * NB_MAX_PROCESSORS + first + lane;
                    if (channel < NB_MAX_CHANNELS) {
                        const uint8_t raw = input[pixel * NB_MAX_CHANNELS + channel];
                        word |= (uint32_t)(uint8_t)nb_max7800x_input_table[raw] << (8u * lane);
                    }
                }
                words[pixel * NB_MAX_PASSES + pass] = word;
            }
        }
    }
}

/* Rounded half up, then clamped, as the host's known answer is. */
static uint8_t converted(int32_t value)
{
    const float scaled = (float)value * NB_MAX_OUTPUT_RATIO + 0.5f;
    int32_t whole = (int32_t)scaled;
    if ((float)whole > scaled) {
        whole--;
    }
    whole += NB_MAX_OUTPUT_ZERO;
    return (uint8_t)(int8_t)(whole < -128 ? -128 : whole > 127 ? 127 : whole);
}

static void read_output(uint8_t *output)
{
    for (uint32_t i = 0; i < NB_MAX_OUTPUTS; i++) {
#if NB_MAX_OUTPUT_WIDE
        output[i] = converted((int32_t)unloaded[i]);
#else
        output[i] = converted((int8_t)(unloaded[i / LANES] >> (8u * (i % LANES))));
#endif
    }
}

int32_t nb_npu_load(void)
{
    write_input(nb_arena + NB_MAX_INPUT_OFFSET);
    return 0;
}

int32_t nb_npu_run(uint32_t job)
{
    if (job != 0) {
        return E_JOB;
    }
    divide_clock(MXC_S_GCR_PCLKDIV_CNNCLKDIV_DIV1);
    if (cnn_start() != CNN_OK) {
        return E_FAILED;
    }
    uint32_t rounds = ROUNDS;
    while ((REGISTER(NB_MAX_CONTROL) & CONTROL_DONE) == 0) {
        if (rounds-- == 0) {
            return E_TIMEOUT;
        }
    }
    CNN_ISR();
    divide_clock(LOAD_DIVIDER);
    if (cnn_unload(unloaded) != CNN_OK) {
        return E_FAILED;
    }
    read_output(nb_arena + NB_MAX_OUTPUT_OFFSET);
    return 0;
}

/* The accelerator has no counters. */
void nb_npu_begin(uint32_t set)
{
    (void)set;
}

uint32_t nb_npu_counters(uint64_t *counters, uint32_t max)
{
    (void)counters;
    (void)max;
    return 0;
}

void nb_npu_off(void)
{
    (void)cnn_disable();
    switch_pll(0);
}
