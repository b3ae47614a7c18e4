/* driver.cpp: Espressif's ESP-DL on the ESP32-S3 behind nb_npu.h, around the .espdl file that
 * esp-ppq wrote (nb_espdl, among the network's constants, 16-byte aligned as ESP-DL wants it).
 *
 * The network's int8 become ESP-DL's codes, whose scale is a power of two, and its outputs become
 * the network's int8, with the same roundings as the known answer's. Errors: -1 the model gave no
 * tensor of that name, -2 a tensor is of another size or type, -3 no such job. Written from ESP-DL's
 * public headers; nobody here has built it with ESP-IDF. */
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "dl_model_base.hpp"

#include "nb_esp_dl_config.h"

extern "C" {
#include "nb_npu.h"

extern uint8_t nb_arena[];
extern const uint8_t nb_espdl[];
}

namespace
{

constexpr int32_t e_name = -1;
constexpr int32_t e_tensor = -2;
constexpr int32_t e_job = -3;

struct place {
    const char *name;
    uint32_t offset; /* in the arena */
    uint32_t count;
    int32_t zero;
    float scale;
};

const place inputs[] = NB_ESP_DL_INPUTS;
const place outputs[] = NB_ESP_DL_OUTPUTS;

dl::Model *model;

bool fits(const dl::TensorBase *tensor, const place &at)
{
    return tensor->size == static_cast<int>(at.count) &&
           (tensor->dtype == dl::DATA_TYPE_INT8 || tensor->dtype == dl::DATA_TYPE_INT16);
}

float clamped(float value, float low, float high)
{
    return value < low ? low : value > high ? high : value;
}

/* Rounded half to even, as esp-ppq's executor does. */
void write_input(dl::TensorBase *tensor, const place &at)
{
    const auto *codes = reinterpret_cast<const int8_t *>(nb_arena + at.offset);
    const float steps = std::ldexp(1.0f, -static_cast<int>(tensor->exponent));
    const bool is_wide = tensor->dtype == dl::DATA_TYPE_INT16;
    const float high = is_wide ? 32767.0f : 127.0f;
    for (uint32_t i = 0; i < at.count; i++) {
        const float real = static_cast<float>(codes[i] - at.zero) * at.scale;
        const float code = clamped(std::nearbyint(real * steps), -high - 1.0f, high);
        if (is_wide) {
            static_cast<int16_t *>(tensor->data)[i] = static_cast<int16_t>(code);
        } else {
            static_cast<int8_t *>(tensor->data)[i] = static_cast<int8_t>(code);
        }
    }
}

/* Rounded half up, then clamped, as the host's known answer is. */
void read_output(const dl::TensorBase *tensor, const place &at)
{
    auto *codes = reinterpret_cast<int8_t *>(nb_arena + at.offset);
    const float step = std::ldexp(1.0f, static_cast<int>(tensor->exponent));
    const bool is_wide = tensor->dtype == dl::DATA_TYPE_INT16;
    for (uint32_t i = 0; i < at.count; i++) {
        const int32_t value = is_wide ? static_cast<const int16_t *>(tensor->data)[i]
                                      : static_cast<const int8_t *>(tensor->data)[i];
        const float real = static_cast<float>(value) * step;
        const float code = std::floor(real / at.scale + 0.5f) + static_cast<float>(at.zero);
        codes[i] = static_cast<int8_t>(clamped(code, -128.0f, 127.0f));
    }
}

} // namespace

extern "C" {

int32_t nb_npu_init(void)
{
    if (model == nullptr) {
        model = new dl::Model(reinterpret_cast<const char *>(nb_espdl),
                              fbs::MODEL_LOCATION_IN_FLASH_RODATA);
    }
    for (const place &at : inputs) {
        const dl::TensorBase *tensor = model->get_input(at.name);
        if (tensor == nullptr) {
            return e_name;
        }
        if (!fits(tensor, at)) {
            return e_tensor;
        }
    }
    for (const place &at : outputs) {
        const dl::TensorBase *tensor = model->get_output(at.name);
        if (tensor == nullptr) {
            return e_name;
        }
        if (!fits(tensor, at)) {
            return e_tensor;
        }
    }
    return 0;
}

int32_t nb_npu_run(uint32_t job)
{
    if (job != 0) {
        return e_job;
    }
    for (const place &at : inputs) {
        write_input(model->get_input(at.name), at);
    }
    model->run();
    for (const place &at : outputs) {
        read_output(model->get_output(at.name), at);
    }
    return 0;
}

/* The core's own counter is the harness's; ESP-DL has none. */
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
}
}
