// Drawings as files: SVG, and by librsvg PDF and PNG. Only masksc_report links that library.
#pragma once

#include <filesystem>
#include <string>

namespace masksc {

enum class FigureFormat { svg, pdf, png };

/// Throws UserError for a format that this build can't make.
void check_format(FigureFormat format);

/// Writes `path`.svg, .pdf or .png (300 dots an inch at the size of the SVG in CSS pixels) through a staging file.
/// Returns the name with its ending. Throws as check_format, EnvironmentError when it can't be drawn or written.
std::filesystem::path write_figure(const std::filesystem::path& path, const std::string& svg, FigureFormat format);

}  // namespace masksc
