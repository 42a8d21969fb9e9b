//! The icon's three looks, built in.

use std::io;

use muxtray::core::view::Icon as Look;
use tray_icon::Icon;

/// The looks, decoded once.
pub(crate) struct Icons {
    idle: Icon,
    running: Icon,
    attention: Icon,
}

impl Icons {
    /// Decodes what is built in.
    ///
    /// # Errors
    /// Never, unless the build took a picture of the wrong kind.
    pub(crate) fn new() -> Result<Self, String> {
        Ok(Self {
            idle: decode(include_bytes!("../../icons/tray/idle.png"))?,
            running: decode(include_bytes!("../../icons/tray/running.png"))?,
            attention: decode(include_bytes!("../../icons/tray/attention.png"))?,
        })
    }

    /// The picture of a look.
    pub(crate) fn of(&self, look: Look) -> Icon {
        match look {
            Look::Idle => self.idle.clone(),
            Look::Running => self.running.clone(),
            Look::Attention => self.attention.clone(),
        }
    }
}

fn decode(picture: &'static [u8]) -> Result<Icon, String> {
    let mut decoder = png::Decoder::new(io::Cursor::new(picture));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().map_err(|error| error.to_string())?;
    let mut pixels = vec![0; reader.output_buffer_size().unwrap_or(0)];
    let frame = reader
        .next_frame(&mut pixels)
        .map_err(|error| error.to_string())?;
    pixels.truncate(frame.buffer_size());
    Icon::from_rgba(pixels, frame.width, frame.height).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_looks_are_pictures() {
        assert_eq!(Icons::new().err(), None);
    }
}
