// Nothing: what remains is the cost of a launch, for `convoy bench`.
kernel void peak_launch(void)
{
}
