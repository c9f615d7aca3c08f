"""What tests of services need: a bus on free ports, a clock to turn, a wait that reports. Shipped."""
