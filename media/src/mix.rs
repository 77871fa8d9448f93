//! Who is in a mix, and who hears whom there.

use crate::StreamId;

/// The most members of a mix.
pub const MAX_MEMBERS: usize = 64;

/// A mix: streams of one plane whose far ends hear each other as their roles say. The owner of the
/// calls chooses the number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct MixId(pub u64);

/// A stream in a mix.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Member {
    /// The stream.
    pub stream: StreamId,
    /// What it hears, and who hears it.
    pub role: Role,
    /// It is heard by nobody, whatever its role.
    pub muted: bool,
}

/// A member's place among the others. Nobody ever hears itself.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Role {
    /// Hears all parties, is heard by all members.
    Party,
    /// Hears all parties, is heard by nobody.
    Listener,
    /// Hears all parties, is heard by one member alone, and by nobody while that is none.
    Coach {
        /// The member that hears it.
        of: StreamId,
    },
}

impl Member {
    /// A party that is not muted.
    #[must_use]
    pub const fn party(stream: StreamId) -> Self {
        Self { stream, role: Role::Party, muted: false }
    }

    /// Whether `other` hears this member.
    #[must_use]
    pub fn is_heard_by(&self, other: StreamId) -> bool {
        !self.muted
            && self.stream != other
            && match self.role {
                Role::Party => true,
                Role::Listener => false,
                Role::Coach { of } => of == other,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coach_is_heard_by_one_and_who_is_muted_or_listens_by_none() {
        let (caller, agent, boss) = (StreamId(1), StreamId(2), StreamId(3));
        let coach = Member { stream: boss, role: Role::Coach { of: agent }, muted: false };
        assert!(coach.is_heard_by(agent) && !coach.is_heard_by(caller));
        let listener = Member { role: Role::Listener, ..coach };
        assert!(![caller, agent, boss].into_iter().any(|other| listener.is_heard_by(other)));
        let party = Member::party(boss);
        assert!(party.is_heard_by(agent) && party.is_heard_by(caller));
        assert!(!party.is_heard_by(boss), "nobody hears itself");
        assert!(!Member { muted: true, ..party }.is_heard_by(agent));
    }
}
