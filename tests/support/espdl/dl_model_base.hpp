/* Declarations as in ESP-DL's public headers, for a compiler without it: a stand-in, no more. Its
 * network gives back what it was given, through the types that the macros name. */
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace fbs
{
enum model_location_type_t { MODEL_LOCATION_IN_FLASH_RODATA = 0 };
}

namespace dl
{
enum dtype_t {
    DATA_TYPE_FLOAT = 1,
    DATA_TYPE_UINT8 = 2,
    DATA_TYPE_INT8 = 3,
    DATA_TYPE_INT16 = 5
};

/* As ESP-DL 3.3 has it; up to 3.3.0 an exponent is an int. */
class ExponentInfo
{
public:
    ExponentInfo(int value) : exponent(value)
    {
    }
    operator int() const
    {
        return exponent;
    }

private:
    int exponent;
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
