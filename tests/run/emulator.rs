//! A terminal, as far as our lines go: what is on its screen after some bytes came.

/// The lines that are on the screen, of so many columns, without what is not shown at their ends. A
/// sequence that stakeout has no business to write is a panic.
pub fn screen(written: &str, columns: usize) -> Vec<String> {
    let mut screen: Vec<Vec<char>> = vec![Vec::new()];
    let (mut row, mut column, mut wraps) = (0, 0, true);
    let mut rest = written.chars();
    while let Some(next) = rest.next() {
        match next {
            '\r' => column = 0,
            '\n' => row += 1,
            '\x1b' => match rest.next() {
                Some(']') => {
                    let command: String = rest.by_ref().take_while(|it| *it != '\\').collect();
                    assert!(command.starts_with("9;4;"), "{command:?}");
                }
                Some('[') => {
                    let is_parameter = |it: &char| !it.is_ascii_alphabetic();
                    let parameters: String =
                        rest.clone().take_while(|it| is_parameter(it)).collect();
                    match (rest.nth(parameters.len()).expect("a whole one"), &*parameters) {
                        ('J', "") => {
                            screen.truncate(row + 1);
                            screen.get_mut(row).iter_mut().for_each(|line| line.truncate(column));
                        }
                        ('h', "?7") => wraps = true,
                        ('l', "?7") => wraps = false,
                        ('m', _) => {}
                        (end, _) => panic!("ESC [ {parameters} {end}"),
                    }
                }
                other => panic!("ESC {other:?}"),
            },
            next => {
                if column == columns {
                    (row, column) = if wraps { (row + 1, 0) } else { (row, column - 1) };
                }
                screen.resize(screen.len().max(row + 1), Vec::new());
                let line = &mut screen[row];
                line.resize(line.len().max(column + 1), ' ');
                line[column] = next;
                column += 1;
            }
        }
        screen.resize(screen.len().max(row + 1), Vec::new());
    }
    let text = |line: Vec<char>| line.into_iter().collect::<String>().trim_end().to_owned();
    screen.into_iter().map(text).collect()
}

#[test]
fn it_shows_what_a_terminal_would() {
    let written =
        "one\r\n\r\x1b[?7la bar that is too long\x1b[J\x1b[?7h\r\r\x1b[Jtwo\r\nabcdefghijkl\r\n";
    assert_eq!(screen(written, 10), ["one", "two", "abcdefghij", "kl", ""]);
    assert_eq!(screen("\x1b]9;4;1;5\x1b\\\r\x1b[36mtwo\x1b[0m\rthree", 10), ["three"]);
    assert_eq!(screen("\x1b[?7labcdefghijkl", 10), ["abcdefghil"]);
}
