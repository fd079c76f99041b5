//! Colors with a meaning. The text says the same, so the colors only help to find it.

use clap::builder::styling::{Ansi256Color, Style};

/// What a text means to the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    /// Nothing in particular.
    #[default]
    Plain,
    /// Less important than the text beside it.
    Faint,
    /// What people look for first, such as the newest entry.
    Strong,
    /// As it should be.
    Good,
    /// Odd, but not an obstacle.
    Odd,
    /// Wrong.
    Bad,
}

/// The gray of the 256 colors that has a contrast of 4.5 on black and on white.
const GRAY: u8 = 243;
const GREEN: u8 = 28;
const ORANGE: u8 = 130;
const RED: u8 = 160;

impl Tone {
    /// Returns its style on a terminal.
    pub const fn style(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Faint => colored(GRAY),
            Self::Strong => Style::new().bold(),
            Self::Good => colored(GREEN).bold(),
            Self::Odd => colored(ORANGE).bold(),
            Self::Bad => colored(RED).bold(),
        }
    }

    /// Returns the text in its style.
    pub fn paint(self, text: &str) -> String {
        if self == Self::Plain || text.is_empty() {
            return text.to_owned();
        }
        let style = self.style();
        format!("{style}{text}{style:#}")
    }
}

const fn colored(color: u8) -> Style {
    Style::new().fg_color(Some(clap::builder::styling::Color::Ansi256(Ansi256Color(
        color,
    ))))
}

/// Returns the contrast of one of the 256 colors on white and on black, as defined by WCAG 2.
#[cfg(test)]
pub(super) fn contrasts(color: u8) -> [f64; 2] {
    const CUBE: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let levels = match color {
        232.. => [8 + 10 * (color - 232); 3],
        _ => {
            let cube = usize::from(color - 16);
            [CUBE[cube / 36], CUBE[cube / 6 % 6], CUBE[cube % 6]]
        }
    };
    let [red, green, blue] = levels.map(|level| {
        let share = f64::from(level) / 255.0;
        if share <= 0.04045 {
            share / 12.92
        } else {
            ((share + 0.055) / 1.055).powf(2.4)
        }
    });
    let luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    [1.05 / (luminance + 0.05), (luminance + 0.05) / 0.05]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// WCAG 2 requires 4.5 for text, and 3 for bold text.
    #[test]
    fn every_tone_can_be_read_on_dark_and_on_light() {
        for contrast in contrasts(GRAY) {
            assert!(contrast >= 4.5, "{contrast}");
        }
        for color in [GREEN, ORANGE, RED] {
            for contrast in contrasts(color) {
                assert!(contrast > 3.7, "{color}: {contrast}");
            }
        }
    }

    #[test]
    fn what_has_no_tone_has_no_color() {
        assert_eq!(Tone::Plain.paint("text"), "text");
        assert_eq!(Tone::Strong.paint(""), "");
        assert_eq!(
            Tone::Good.paint("ok"),
            "\u{1b}[1m\u{1b}[38;5;28mok\u{1b}[0m"
        );
    }
}
