// Files taken in by the assembler: a compiler would need minutes for such string literals.
#include "assets.hpp"

#include <cstddef>

// NOLINTBEGIN(hicpp-no-assembler)
#define MASKSC_ASSET(name, path)                                                                           \
  __asm__(".pushsection .rodata\n.global masksc_asset_" #name "\nmasksc_asset_" #name ":\n.incbin \"" path \
          "\"\n.global masksc_asset_" #name "_end\nmasksc_asset_" #name "_end:\n.byte 0\n.popsection\n");  \
  extern "C" const char masksc_asset_##name[];                                                             \
  extern "C" const char masksc_asset_##name##_end[];

MASKSC_ASSET(frame, MASKSC_PAGE_FOLDER "/page.html")
MASKSC_ASSET(style, MASKSC_PAGE_FOLDER "/style.css")
MASKSC_ASSET(script, MASKSC_PAGE_SCRIPT)
MASKSC_ASSET(plotly, MASKSC_PLOTLY)
// NOLINTEND(hicpp-no-assembler)

namespace masksc::detail {
namespace {

std::string_view between(const char* begin, const char* end) { return {begin, static_cast<std::size_t>(end - begin)}; }

}  // namespace

std::string_view page_frame() { return between(masksc_asset_frame, masksc_asset_frame_end); }
std::string_view page_style() { return between(masksc_asset_style, masksc_asset_style_end); }
std::string_view page_script() { return between(masksc_asset_script, masksc_asset_script_end); }
std::string_view plotly_script() { return between(masksc_asset_plotly, masksc_asset_plotly_end); }

}  // namespace masksc::detail
