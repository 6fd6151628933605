#include "masksc/report/markup.hpp"

namespace masksc {

std::string escape_markup(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    if (c == '<')
      safe += "&lt;";
    else if (c == '>')
      safe += "&gt;";
    else if (c == '&')
      safe += "&amp;";
    else
      safe.push_back(c);
  }
  return safe;
}

}  // namespace masksc
