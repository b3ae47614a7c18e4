/* burst.c: windows for a power instrument: one stage repeated under one marker level, with the
 * device's own record of when the level changed and when the work began and ended. */
#include "nb_harness.h"

#if NB_COUNTER_NONE

void nb_burst(uint32_t code, uint32_t count, uint32_t hold_us)
{
    (void)code;
    (void)count;
    (void)hold_us;
    nb_put_error(NB_E_NO_TIMING_TEXT);
}

#else

/* A piece of silence whose length the host chose: together they are the preamble. */
#define SYNC_UNIT_US 100u

static int32_t work(uint32_t code)
{
    switch (code) {
    case NB_STAGE_INIT:
        return nb_model_init();
    case NB_STAGE_LOAD:
        return nb_model_load(nb_fixture.input);
    case NB_STAGE_INFER:
        return nb_engine_once();
    case NB_STAGE_UNLOAD:
        return nb_model_unload(nb_output);
    case NB_STAGE_POST:
        (void)nb_post(nb_output);
        return 0;
    default:
        nb_hal_wait_us(SYNC_UNIT_US);
        return 0;
    }
}

/* The level: code pins for who has three inputs, the timestamp pin low for who has one. */
static uint64_t level(uint32_t code)
{
    const uint64_t now = nb_clock_now();
    nb_hal_marker(code);
    nb_hal_timestamp(code == NB_STAGE_NONE);
    return now;
}

/* `infer` includes the load that each inference needs; the host subtracts it. An idle's count is in
 * milliseconds; where the board cannot sleep it waits, and says so. The clock is looked at after each
 * piece of work, so that it follows however long the whole takes. */
void nb_burst(uint32_t code, uint32_t count, uint32_t hold_us)
{
    int32_t status = 0;
    bool slept = false;
    if (!nb_engine_ready()) {
        return;
    }
    nb_hal_flush();
    const uint64_t up = level(code);
    nb_hal_wait_us(hold_us);
    const uint64_t begin = nb_clock_now();
    if (code == NB_STAGE_IDLE) {
        slept = nb_hal_idle(count);
        for (uint32_t i = slept ? count : 0; i < count; i++) {
            nb_hal_wait_us(1000);
            (void)nb_clock_now();
        }
    } else {
        for (uint32_t i = 0; i < count && status == 0; i++) {
            status = work(code);
            (void)nb_clock_now();
        }
    }
    const uint64_t end = nb_clock_now();
    const uint64_t down = level(NB_STAGE_NONE);
    nb_hal_wait_us(hold_us);
    if (status != 0) {
        nb_engine_error(status);
        return;
    }
    nb_record("'t':'burst','code':%u,'n':%u,'slept':%u,'up':%q,'begin':%q,'end':%q,'down':%q", code,
              count, slept, up, begin, end, down);
}

#endif
