// The texts of the page that are part of the program: its frame, style and scripts, and plotly.js (MIT, Plotly, Inc.).
#pragma once

#include <string_view>

namespace masksc::detail {

std::string_view page_frame();
std::string_view page_style();
std::string_view page_script();
std::string_view plotly_script();

}  // namespace masksc::detail
