/* Kernel arguments: checked once when a launch is added, set again only where they change. */
#include <string.h>

#include "runtime/list.h"

const char *list_arg_type(const rt_arg *arg)
{
    switch (arg->kind) {
    case RT_ARG_INT:
    case RT_ARG_BATCH: return "int";
    case RT_ARG_FLOAT:
    case RT_ARG_INVERSE: return "float";
    case RT_ARG_VARIABLE: return arg->i >= RT_VAR_RATE ? "float" : "int";
    case RT_ARG_BUFFER:
    case RT_ARG_SWITCHED: return "global";
    case RT_ARG_LOCAL: return "local";
    }
    return "?";
}

static const char *declared_type(cl_kernel kernel, cl_uint index, char *name, size_t size)
{
    cl_kernel_arg_address_qualifier where = 0;
    if (clGetKernelArgInfo(kernel, index, CL_KERNEL_ARG_ADDRESS_QUALIFIER, sizeof where, &where, NULL) != CL_SUCCESS)
        return NULL; /* this driver keeps no argument info: nothing to check against */
    if (where == CL_KERNEL_ARG_ADDRESS_GLOBAL || where == CL_KERNEL_ARG_ADDRESS_CONSTANT)
        return "global";
    if (where == CL_KERNEL_ARG_ADDRESS_LOCAL)
        return "local";
    if (clGetKernelArgInfo(kernel, index, CL_KERNEL_ARG_TYPE_NAME, size, name, NULL) != CL_SUCCESS)
        return NULL;
    return name;
}

convoy_status list_check_args(const rt_list *list, const list_item *item, convoy_error *err)
{
    cl_uint count = 0;
    CL_TRY(list->ctx, clGetKernelInfo, item->kernel, CL_KERNEL_NUM_ARGS, sizeof count, &count, NULL);
    if (count != (cl_uint)item->arg_count)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "%s: kernel %s takes %u arguments, %d were given", item->label,
                         item->kernel_name, count, item->arg_count);
    for (cl_uint i = 0; i < count; i++) {
        char name[64] = "";
        const char *declared = declared_type(item->kernel, i, name, sizeof name);
        const char *expected = list_arg_type(&item->args[i]);
        if (declared != NULL && strcmp(declared, expected) != 0)
            return base_fail(err, CONVOY_ERROR_ARGUMENT, "%s: argument %u of kernel %s is %s, %s was given",
                             item->label, i, item->kernel_name, declared, expected);
    }
    return CONVOY_OK;
}

static bool selected(rt_arg_kind kind, arg_set which)
{
    switch (which) {
    case ARGS_ALL: return true;
    case ARGS_BATCH: return kind == RT_ARG_BATCH || kind == RT_ARG_INVERSE;
    case ARGS_VARIABLE: return kind == RT_ARG_VARIABLE;
    case ARGS_SWITCHED: return kind == RT_ARG_SWITCHED;
    }
    return false;
}

static cl_int set_int(cl_kernel kernel, cl_uint index, cl_int value)
{
    return clSetKernelArg(kernel, index, sizeof value, &value);
}

static cl_int set_float(cl_kernel kernel, cl_uint index, cl_float value)
{
    return clSetKernelArg(kernel, index, sizeof value, &value);
}

static cl_int set_arg(const rt_list *list, cl_kernel kernel, cl_uint index, const rt_arg *arg)
{
    switch (arg->kind) {
    case RT_ARG_BUFFER: return clSetKernelArg(kernel, index, sizeof(cl_mem), &arg->buffer->mem);
    case RT_ARG_SWITCHED: return clSetKernelArg(kernel, index, sizeof(cl_mem), &arg->switched[list->which]->mem);
    case RT_ARG_LOCAL: return clSetKernelArg(kernel, index, (size_t)arg->i, NULL);
    case RT_ARG_INT: return set_int(kernel, index, arg->i);
    case RT_ARG_BATCH: return set_int(kernel, index, arg->i * list->batch);
    case RT_ARG_FLOAT: return set_float(kernel, index, arg->f);
    case RT_ARG_INVERSE: return set_float(kernel, index, 1.0f / (float)list->batch);
    case RT_ARG_VARIABLE:
        return arg->i >= RT_VAR_RATE ? set_float(kernel, index, list->floats[arg->i])
                                     : set_int(kernel, index, list->ints[arg->i]);
    }
    return CL_INVALID_ARG_VALUE;
}

convoy_status list_set_args(const rt_list *list, cl_kernel kernel, const rt_arg *args, int count, arg_set which,
                            convoy_error *err)
{
    for (int i = 0; i < count; i++) {
        if (!selected(args[i].kind, which))
            continue;
        cl_int code = set_arg(list, kernel, (cl_uint)i, &args[i]);
        if (code != CL_SUCCESS)
            return base_fail_in(err, rt_fail(list->ctx, "clSetKernelArg", code, err), "argument %d", i);
    }
    return CONVOY_OK;
}
