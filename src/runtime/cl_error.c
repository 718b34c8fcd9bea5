#include "base/error.h"
#include "runtime/internal.h"

#define CODE(name)                                                                                                     \
    case name: return #name

const char *rt_cl_error(cl_int code)
{
    switch (code) {
        CODE(CL_SUCCESS);
        CODE(CL_DEVICE_NOT_FOUND);
        CODE(CL_DEVICE_NOT_AVAILABLE);
        CODE(CL_COMPILER_NOT_AVAILABLE);
        CODE(CL_MEM_OBJECT_ALLOCATION_FAILURE);
        CODE(CL_OUT_OF_RESOURCES);
        CODE(CL_OUT_OF_HOST_MEMORY);
        CODE(CL_PROFILING_INFO_NOT_AVAILABLE);
        CODE(CL_BUILD_PROGRAM_FAILURE);
        CODE(CL_MISALIGNED_SUB_BUFFER_OFFSET);
        CODE(CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
        CODE(CL_KERNEL_ARG_INFO_NOT_AVAILABLE);
        CODE(CL_INVALID_VALUE);
        CODE(CL_INVALID_DEVICE);
        CODE(CL_INVALID_CONTEXT);
        CODE(CL_INVALID_COMMAND_QUEUE);
        CODE(CL_INVALID_MEM_OBJECT);
        CODE(CL_INVALID_BINARY);
        CODE(CL_INVALID_BUILD_OPTIONS);
        CODE(CL_INVALID_PROGRAM);
        CODE(CL_INVALID_PROGRAM_EXECUTABLE);
        CODE(CL_INVALID_KERNEL_NAME);
        CODE(CL_INVALID_KERNEL);
        CODE(CL_INVALID_ARG_INDEX);
        CODE(CL_INVALID_ARG_VALUE);
        CODE(CL_INVALID_ARG_SIZE);
        CODE(CL_INVALID_KERNEL_ARGS);
        CODE(CL_INVALID_WORK_DIMENSION);
        CODE(CL_INVALID_WORK_GROUP_SIZE);
        CODE(CL_INVALID_WORK_ITEM_SIZE);
        CODE(CL_INVALID_EVENT_WAIT_LIST);
        CODE(CL_INVALID_EVENT);
        CODE(CL_INVALID_OPERATION);
        CODE(CL_INVALID_BUFFER_SIZE);
        CODE(CL_INVALID_GLOBAL_WORK_SIZE);
    default: return "an OpenCL error";
    }
}

void rt_tell_status(convoy_context *ctx, const char *call, cl_int code)
{
    if (code != CL_SUCCESS)
        rt_message(ctx, "%s: %s (%d) on device %d:%d %s", call, rt_cl_error(code), (int)code, ctx->info.platform, ctx->info.device,
                   ctx->info.name);
}

convoy_status rt_fail(const convoy_context *ctx, const char *call, cl_int code, convoy_error *err)
{
    bool memory = code == CL_MEM_OBJECT_ALLOCATION_FAILURE || code == CL_OUT_OF_RESOURCES ||
                  code == CL_OUT_OF_HOST_MEMORY || code == CL_INVALID_BUFFER_SIZE;
    return base_fail(err, memory ? CONVOY_ERROR_DEVICE_MEMORY : CONVOY_ERROR_DEVICE, "%s: %s (%d) on device %d:%d %s%s",
                     call, rt_cl_error(code), (int)code, ctx->info.platform, ctx->info.device, ctx->info.name,
                     memory ? ": a smaller batch size needs less device memory" : "");
}
