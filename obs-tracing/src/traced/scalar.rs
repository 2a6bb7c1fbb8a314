//! Types that a value is made of as they are, from a reference.

use crate::value::Value;

/// See the module.
pub trait Scalar {
    fn scalar(&self) -> Value;
}

macro_rules! scalars {
    ($($ty:ty),+ $(,)?) => {$(
        impl Scalar for $ty {
            fn scalar(&self) -> Value {
                Value::from(*self)
            }
        }
    )+};
}

scalars!(bool, char, f32, f64, i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize);

impl Scalar for str {
    fn scalar(&self) -> Value {
        Value::from(self)
    }
}

impl Scalar for String {
    fn scalar(&self) -> Value {
        Value::from(self.as_str())
    }
}

impl Scalar for Value {
    fn scalar(&self) -> Value {
        self.clone()
    }
}

impl<T: Scalar + ?Sized> Scalar for &T {
    fn scalar(&self) -> Value {
        (**self).scalar()
    }
}

impl<T: Scalar> Scalar for Option<T> {
    fn scalar(&self) -> Value {
        self.as_ref().map(Scalar::scalar).into()
    }
}
