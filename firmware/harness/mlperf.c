/* mlperf.c: the base commands of MLPerf Tiny's DUT protocol. */
#include "nb_harness.h"

static void put_lap(uint64_t clock)
{
    nb_put_number("m-lap-us-", nb_clock_us(clock));
}

void nb_mlperf_timestamp(void)
{
    if (nb_noinit.energy != 0) {
        nb_timestamp_pulse();
    } else {
        put_lap(nb_clock_now());
    }
}

void nb_mlperf_boot(void)
{
    nb_put_line(nb_noinit.energy != 0 ? "m-timestamp-mode-energy" : "m-timestamp-mode-performance");
    nb_mlperf_timestamp();
    nb_put_line("m-init-done");
}

void nb_mlperf_profile(void)
{
    nb_put_line("m-profile-[ULPMark for tinyML Firmware V0.0.1]");
    nb_put_line("m-model-[" NB_MLPERF_MODEL "]");
}

void nb_mlperf_results(void)
{
    nb_put_text("m-results-[");
#if NB_RESULT_KIND == 1
    nb_put_milli(nb_post(nb_output).milli);
#else
    for (uint32_t i = 0; i < NB_OUTPUT_COUNT; i++) {
        if (i != 0) {
            nb_put(',');
        }
        nb_put_milli(nb_post_milli(nb_output, i));
    }
#endif
    nb_put_line("]");
}

/* `count` inferences, each with its load. The clock is looked at after each, so that it follows
 * however long the whole takes. */
static int32_t run(uint32_t count)
{
    int32_t status = 0;
    for (uint32_t i = 0; i < count && status == 0; i++) {
        status = nb_engine_once();
        (void)nb_clock_now();
    }
    return status;
}

/* Both laps are printed after the window: nothing is sent inside it. In energy mode the window lies
 * between the falling edges of two pulses. */
void nb_mlperf_infer(uint32_t iterations, uint32_t warmups)
{
    if (!nb_engine_ready()) {
        return;
    }
    nb_input_tell_short();
    nb_put_number("m-warmup-start-", warmups);
    int32_t status = run(warmups);
    nb_put_line("m-warmup-done");
    nb_put_number("m-infer-start-", iterations);
    nb_hal_flush();
    if (nb_noinit.energy != 0) {
        nb_timestamp_pulse();
        status = status != 0 ? status : run(iterations);
        nb_timestamp_pulse();
    } else {
        const uint64_t begin = nb_clock_now();
        NB_BARRIER();
        status = status != 0 ? status : run(iterations);
        NB_BARRIER();
        const uint64_t end = nb_clock_now();
        put_lap(begin);
        put_lap(end);
    }
    nb_put_line("m-infer-done");
    status = status != 0 ? status : nb_model_unload(nb_output);
    if (status != 0) {
        nb_engine_error(status);
        return;
    }
    nb_mlperf_results();
}
