// Text of strangers inside HTML and SVG.
#pragma once

#include <string>
#include <string_view>

namespace masksc {

/// `text` with <, > and & as entities, so that it is shown and never read as markup.
std::string escape_markup(std::string_view text);

}  // namespace masksc
