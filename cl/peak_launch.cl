// Nothing: what remains is the cost of a launch, for `convoy bench`.
// Not fused: one launch is what is measured.
kernel void peak_launch(void)
{
}
