//! Which glibc an artefact asks for, read off its ELF file.
//!
//! `provided.al2023` has glibc 2.34: a binary that was linked on a newer system and asks for a newer
//! symbol version starts nowhere in Lambda, and says so only there.

use std::fmt;

use object::elf::{FileHeader64, SHT_GNU_VERNEED};
use object::read::elf::{FileHeader as _, SectionHeader as _};
use object::{Endianness, elf};

/// What Amazon Linux 2023 has.
pub(crate) const NEWEST: Glibc = Glibc { major: 2, minor: 34 };

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Glibc {
    pub(crate) major: u32,
    pub(crate) minor: u32,
}

impl fmt::Display for Glibc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GLIBC_{}.{}", self.major, self.minor)
    }
}

impl Glibc {
    /// `GLIBC_2.34`, `GLIBC_2.2.5`; none for `GLIBC_PRIVATE` and for other libraries' versions.
    fn parse(version: &str) -> Option<Self> {
        let mut numbers = version.strip_prefix("GLIBC_")?.split('.').map(str::parse);
        Some(Self { major: numbers.next()?.ok()?, minor: numbers.next()?.ok()? })
    }
}

/// What a binary is and asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Needs {
    /// The machine of its header: `x86_64` or `arm64` in Lambda's words.
    pub(crate) machine: Machine,
    /// The newest glibc version among its required symbol versions; none for a static binary.
    pub(crate) glibc: Option<Glibc>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Machine {
    X86_64,
    Arm64,
    Other(u16),
}

/// Reads the version requirements (`.gnu.version_r`) of a 64-bit ELF file.
pub(crate) fn needs(file: &[u8]) -> Result<Needs, object::Error> {
    let header = FileHeader64::<Endianness>::parse(file)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, file)?;
    let mut glibc = None;
    for section in sections.iter().filter(|section| section.sh_type(endian) == SHT_GNU_VERNEED) {
        let Some((mut needed, strings)) = section.gnu_verneed(endian, file)? else { continue };
        let strings = sections.strings(endian, file, strings)?;
        while let Some((_, mut versions)) = needed.next()? {
            while let Some(version) = versions.next()? {
                let name = String::from_utf8_lossy(version.name(endian, strings)?);
                glibc = glibc.max(Glibc::parse(&name));
            }
        }
    }
    let machine = match header.e_machine(endian) {
        elf::EM_X86_64 => Machine::X86_64,
        elf::EM_AARCH64 => Machine::Arm64,
        other => Machine::Other(other.0),
    };
    Ok(Needs { machine, glibc })
}

#[cfg(test)]
mod tests {
    use super::{Glibc, needs};

    #[test]
    fn symbol_versions_are_compared_by_number() {
        let check = |text: &str, expected: Option<(u32, u32)>| {
            let expected = expected.map(|(major, minor)| Glibc { major, minor });
            assert_eq!(Glibc::parse(text), expected, "{text}");
        };
        check("GLIBC_2.34", Some((2, 34)));
        check("GLIBC_2.2.5", Some((2, 2)));
        check("GLIBC_PRIVATE", None);
        check("GCC_3.0", None);
        assert!(Glibc { major: 2, minor: 4 } < Glibc { major: 2, minor: 34 });
    }

    #[cfg(all(target_os = "linux", target_env = "gnu", target_pointer_width = "64"))]
    #[test]
    fn this_test_itself_asks_for_a_glibc() {
        let file = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let needs = needs(&file).unwrap();
        let glibc = needs.glibc.expect("a dynamic executable");
        assert_eq!(glibc.major, 2);
        assert!(glibc.minor >= 17, "older than Rust supports: {glibc}");
    }

    #[test]
    fn what_is_not_an_elf_file_is_an_error() {
        for file in [&b""[..], b"#!/bin/sh\n", &[0x7f, b'E', b'L', b'F'], &[0; 4096]] {
            assert!(needs(file).is_err());
        }
    }
}
