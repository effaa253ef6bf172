// cocotb's main program calls the model Vtop; our builds call it Vsim.
#pragma once
#include "Vsim.h"
using Vtop = Vsim;
