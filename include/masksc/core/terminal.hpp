// What standard error is: a terminal with a moving line at its bottom, or a file of plain lines.
#pragma once

#include <string_view>

namespace masksc {

/// Columns of the terminal that standard error reaches, now; 0 where that is none, or one that can't move its cursor
/// (TERM unset or dumb). Under mpirun standard error is a pipe: launch/run.sh tells by MASKSC_TERMINAL=COLUMNS that a
/// terminal is at its end.
int terminal_columns();

/// Whether levels of messages may be coloured: on a terminal, unless NO_COLOR is set (no-color.org).
bool terminal_has_colours();

/// Shows `text` as the moving line, in place of the one before, cut to the width of the terminal.
void show_moving_line(std::string_view text);
/// Takes the moving line away, if there is one: something else is written now. It comes back with the next text.
void clear_moving_line();
/// Leaves the moving line where it is and goes to the next one.
void end_moving_line();

}  // namespace masksc
