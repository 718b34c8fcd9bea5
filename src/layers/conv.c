#include "layers/conv.h"

#include "ops/elementwise.h"

convoy_status conv_build(const layer *l, const int kernel_size[2], const int strides[2], const int dilation_rate[2], bool same,
                         conv_shape *out, convoy_error *err)
{
    int reach[2];
    TRY(layer_takes_images(l, err));
    *out = (conv_shape){.height = l->input[0].dim[0], .width = l->input[0].dim[1], .in = l->input[0].dim[2]};
    for (int d = 0; d < 2; d++) {
        out->kernel[d] = kernel_size[d];
        out->stride[d] = strides[d];
        out->dilation[d] = dilation_rate[d];
        long extent = (long)(kernel_size[d] - 1) * dilation_rate[d] + 1;
        reach[d] = extent > 1 << 20 ? 1 << 20 : (int)extent;
    }
    ops_window(out->height, reach[0], strides[0], same, &out->out_height, &out->pad[0]);
    ops_window(out->width, reach[1], strides[1], same, &out->out_width, &out->pad[1]);
    if (out->out_height >= 1 && out->out_width >= 1)
        return CONVOY_OK;
    return base_fail(err, CONVOY_ERROR_MODEL,
                     "a %d x %d kernel%s does not fit into %d x %d pixels; use padding='same' or a smaller kernel",
                     kernel_size[0], kernel_size[1], reach[0] != kernel_size[0] ? " (dilated)" : "", out->height, out->width);
}

void conv_build_activation(layer *l, const activation *act)
{
    l->backward_reads_output = act != activation_find("linear");
    l->keeps_d_output = !l->backward_reads_output;
    l->takes |= l->keeps_d_output ? EPILOGUE_ADD | EPILOGUE_ACTIVATION : 0; /* of other layers, where there is none of its own */
    l->activation = l->backward_reads_output ? act : NULL;
    l->last_activation = act;
    l->saved_per_image = act->from_output ? 0 : shape_count(&l->output);
}

void conv_add_bias(layer *l, bool wanted, int filters, initializer init, const param_rules *rules)
{
    if (!wanted)
        return;
    layer_add_param(l, "bias", (convoy_shape){1, {filters}}, init, filters, filters);
    layer_add_rules(l, rules);
}

void conv_needs(const convoy_context *ctx, const conv_shape *forward, const conv_shape *backward, int batch, layer_needs *needs,
                conv_kernels *kernels)
{
    size_t *const most[] = {&needs->forward_scratch, &needs->backward_scratch, &needs->filter_scratch};
    for (int pass = 0; pass < CONV_PASSES; pass++) {
        ops_conv2d_choose(ctx, (conv_pass)pass, pass == CONV_FORWARD ? forward : backward, batch, kernels);
        *most[pass] = kernels->scratch[pass] > *most[pass] ? kernels->scratch[pass] : *most[pass];
    }
}

const rt_buffer *conv_z(const layer_io *io)
{
    return io->end.act && !io->end.act->from_output ? io->saved : io->output;
}

epilogue conv_end(const layer_io *io)
{
    epilogue end = io->end;
    end.act = activation_fuses(end.act) ? end.act : NULL;
    return end;
}

static int channels_of(const layer *l) { return l->output.dim[l->output.rank - 1]; }
static int rows_of(const layer *l) { return (int)(shape_count(&l->output) / (size_t)channels_of(l)); }

convoy_status conv_activate(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    if (io->end.act == NULL || activation_fuses(io->end.act))
        return CONVOY_OK;
    return ops_activation_forward(list, io->ctx, l->name, io->end.act, conv_z(io), io->output, rows_of(l), channels_of(l), err);
}

convoy_status conv_take_slope(const layer *l, const layer_io *io, rt_list *list, convoy_error *err)
{
    if (io->end.act == NULL)
        return CONVOY_OK;
    return ops_activation_backward(list, io->ctx, l->name, io->end.act, conv_z(io), io->output, io->d_output, io->d_output,
                                   rows_of(l), channels_of(l), err);
}

convoy_status conv_forward(const layer *l, const layer_io *io, const conv_shape *s, rt_list *list, convoy_error *err)
{
    conv_buffers b = {.kernels = &io->needs->kernels[0], .x = io->input[0], .w = io->param[0], .bias = io->param[1], .y = conv_z(io),
                      .scratch = io->scratch, .zeros = io->zeros, .weights_stay = io->weights_stay && io->needs->keeps_scratch};
    epilogue end = conv_end(io);
    TRY(ops_conv2d_forward(list, io->ctx, l->name, s, &end, &b, io->batch, err));
    return conv_activate(l, io, list, err);
}

convoy_status conv_backward(const layer *l, const layer_io *io, const conv_shape *s, rt_list *list, convoy_error *err)
{
    TRY(conv_take_slope(l, io, list, err));
    conv_buffers b = {.kernels = &io->needs->kernels[0], .x = io->input[0], .w = io->param[0], .dz = io->d_output,
                      .dx = io->d_input[0], .dw = io->d_param[0], .dbias = io->d_param[1], .scratch = io->scratch,
                      .filter_scratch = io->filter_scratch, .zeros = io->zeros};
    return ops_conv2d_backward(list, io->ctx, l->name, s, &io->d_end, &b, io->batch, err);
}

void conv_reference_forward(const layer *l, const layer_reference *r, const conv_shape *s)
{
    size_t rows = (size_t)r->batch * s->out_height * s->out_width;
    ops_conv2d_reference(s, r->batch, r->input[0], r->param[0], r->param[1], r->output);
    ops_activation_reference(l->last_activation, r->output, r->output, rows, (size_t)s->out);
}

void conv_reference_backward(const layer *l, const layer_reference *r, const conv_shape *s)
{
    size_t rows = (size_t)r->batch * s->out_height * s->out_width, out = (size_t)s->out;
    double *z = r->scratch, *y = z + rows * out, *dz = y + rows * out;
    ops_conv2d_reference(s, r->batch, r->input[0], r->param[0], r->param[1], z);
    ops_activation_reference(l->last_activation, z, y, rows, out);
    ops_activation_reference_backward(l->last_activation, z, y, r->d_output, dz, rows, out);
    ops_conv2d_reference_backward(s, r->batch, r->input[0], r->param[0], dz, r->d_input[0], r->d_param[0], r->d_param[1]);
}

const int conv_onnx_order[4] = {3, 2, 0, 1};

onnx_value conv_onnx(onnx_graph *g, const layer *l, const conv_shape *c, int groups, onnx_value x, onnx_value kernel,
                     onnx_value bias)
{
    onnx_node node = {.op = "Conv", .input = {x, kernel, bias}, .attribute = {ONNX_INT("group", groups)}};
    onnx_set_window(&node, l, c->kernel, c->stride, c->dilation, c->pad);
    return onnx_add(g, &node);
}
