#include "figure_formats.hpp"

#include "masksc/core/error.hpp"
#include "masksc/core/files.hpp"

#ifdef MASKSC_WITH_RSVG
#include <cairo-pdf.h>
#include <librsvg/rsvg.h>

#include <memory>
#endif

namespace masksc {

#ifdef MASKSC_WITH_RSVG
namespace {

constexpr double css_inch = 96;     // pixels of the SVG
constexpr double pdf_inch = 72;     // points
constexpr double print_inch = 300;  // dots of a PNG

struct FreeObject {
  void operator()(RsvgHandle* handle) const { g_object_unref(handle); }
  void operator()(cairo_surface_t* surface) const { cairo_surface_destroy(surface); }
  void operator()(cairo_t* context) const { cairo_destroy(context); }
  void operator()(GError* error) const { g_error_free(error); }
};
template <typename T>
using Owned = std::unique_ptr<T, FreeObject>;

[[noreturn]] void refuse(const std::string& what) { throw EnvironmentError("a figure can't be drawn: " + what); }

/// Runs `call(&error)`; throws with librsvg's words when it fails.
template <typename Call>
void checked(const Call& call) {
  GError* raw = nullptr;
  const bool good = call(&raw);
  const Owned<GError> error(raw);
  if (!good) refuse(error ? error->message : "unknown error of librsvg");
}

cairo_status_t append(void* to, const unsigned char* data, unsigned int length) {
  static_cast<std::string*>(to)->append(reinterpret_cast<const char*>(data), length);
  return CAIRO_STATUS_SUCCESS;
}

/// The drawing in another format, as bytes.
std::string convert(const std::string& svg, FigureFormat format) {
  RsvgHandle* raw = nullptr;
  checked([&](GError** error) {
    raw = rsvg_handle_new_from_data(reinterpret_cast<const guint8*>(svg.data()), svg.size(), error);
    return raw != nullptr;
  });
  const Owned<RsvgHandle> handle(raw);
  double width = 0, height = 0;
  if (rsvg_handle_get_intrinsic_size_in_pixels(handle.get(), &width, &height) == 0) refuse("it has no size");
  const bool pdf = format == FigureFormat::pdf;
  const double scale = (pdf ? pdf_inch : print_inch) / css_inch;
  std::string bytes;
  const Owned<cairo_surface_t> surface(
      pdf ? cairo_pdf_surface_create_for_stream(append, &bytes, width * scale, height * scale)
          : cairo_image_surface_create(CAIRO_FORMAT_RGB24, static_cast<int>(width * scale),
                                       static_cast<int>(height * scale)));
  {
    const Owned<cairo_t> context(cairo_create(surface.get()));
    const RsvgRectangle all = {0, 0, width * scale, height * scale};
    checked([&](GError** error) { return rsvg_handle_render_document(handle.get(), context.get(), &all, error) != 0; });
  }
  if (pdf)
    cairo_surface_finish(surface.get());
  else
    cairo_surface_write_to_png_stream(surface.get(), append, &bytes);
  if (const cairo_status_t status = cairo_surface_status(surface.get()); status != CAIRO_STATUS_SUCCESS)
    refuse(cairo_status_to_string(status));
  return bytes;
}

}  // namespace

void check_format(FigureFormat /*format*/) {}

#else
namespace {

std::string convert(const std::string& /*svg*/, FigureFormat format) {
  check_format(format);
  return "";
}

}  // namespace

void check_format(FigureFormat format) {
  if (format != FigureFormat::svg)
    throw UserError(
        "--figures: this build of mask-sc makes svg only (librsvg was not there when it was built: install "
        "librsvg2-dev and build again)");
}
#endif

std::filesystem::path write_figure(const std::filesystem::path& path, const std::string& svg, FigureFormat format) {
  const char* ending = format == FigureFormat::svg ? ".svg" : format == FigureFormat::pdf ? ".pdf" : ".png";
  std::filesystem::path file = path;
  file += ending;
  write_file(file, format == FigureFormat::svg ? svg : convert(svg, format));
  return file;
}

}  // namespace masksc
