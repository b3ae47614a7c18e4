/* Declarations as in ESP-DL's public headers, for a compiler without it: a stand-in, no more. */
#pragma once
#include <string>

namespace fbs
{
enum model_location_type_t { MODEL_LOCATION_IN_FLASH_RODATA = 0 };
}

namespace dl
{
enum dtype_t { DATA_TYPE_INT8 = 3, DATA_TYPE_INT16 = 5 };

class ExponentInfo
{
public:
    operator int() const;
};

class TensorBase
{
public:
    int size;
    dtype_t dtype;
    ExponentInfo exponent;
    void *data;
};

class Model
{
public:
    explicit Model(const char *address, fbs::model_location_type_t location);
    virtual ~Model();
    virtual void run();
    virtual TensorBase *get_input(const std::string &name);
    virtual TensorBase *get_output(const std::string &name);
};
} // namespace dl
