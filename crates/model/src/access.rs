//! Parameters and gradients of a [`Transformer`] as plain f32 slices, always in
//! the order of [`parameters`](crate::parameters()).

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor, TensorData};
use thiserror::Error;

use crate::parameters::parameters;
use crate::transformer::Transformer;
use crate::weights::Weights;

/// The device could not compute or give back its data.
#[derive(Debug, Error)]
#[error("the compute device failed: {0}")]
pub struct ComputeError(pub String);

impl Transformer {
    /// A copy of all parameters.
    ///
    /// # Errors
    /// [`ComputeError`] when the device cannot be read.
    pub fn to_weights(&self) -> Result<Weights, ComputeError> {
        let mut reader = Reader {
            values: Ok(Vec::new()),
        };
        self.visit(&mut reader);
        let mut weights = Weights::default();
        let values = reader.values?.into_iter();
        for (parameter, values) in parameters(self.config()).into_iter().zip(values) {
            weights.insert(parameter.name, parameter.shape, values);
        }
        Ok(weights)
    }

    /// Takes every parameter's gradient out of `gradients`, row-major, zeros
    /// where there is none.
    ///
    /// # Errors
    /// [`ComputeError`] when the device cannot be read.
    pub fn take_gradients(&self, gradients: Gradients) -> Result<Vec<Vec<f32>>, ComputeError> {
        let mut taker = GradientTaker {
            gradients,
            values: Ok(Vec::new()),
        };
        self.visit(&mut taker);
        taker.values
    }

    /// Changes every parameter in place: `change` gets its index and its values,
    /// row-major. On the CPU nothing is copied.
    ///
    /// # Errors
    /// [`ComputeError`] when the device cannot be read.
    pub fn map_values(self, change: impl FnMut(usize, &mut [f32])) -> Result<Self, ComputeError> {
        let mut mapper = ValueMapper {
            change,
            index: 0,
            failure: None,
        };
        let mapped = self.map(&mut mapper);
        match mapper.failure {
            Some(error) => Err(error),
            None => Ok(mapped),
        }
    }
}

/// The values of an f32 tensor, row-major; copied only when others share them.
///
/// # Errors
/// [`ComputeError`] when the device cannot be read.
pub fn values<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, ComputeError> {
    let data = tensor.inner().try_into_data().map_err(failed)?;
    data.try_into_vec::<f32>().map_err(failed)
}

fn failed(error: impl std::fmt::Debug) -> ComputeError {
    ComputeError(format!("{error:?}"))
}

struct Reader {
    values: Result<Vec<Vec<f32>>, ComputeError>,
}

impl ModuleVisitor for Reader {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        append(&mut self.values, values(param.val()));
    }
}

struct GradientTaker {
    gradients: Gradients,
    values: Result<Vec<Vec<f32>>, ComputeError>,
}

impl ModuleVisitor for GradientTaker {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let taken = match param.val().grad_remove(&mut self.gradients) {
            Some(gradient) => values(gradient),
            None => Ok(vec![0.0; param.lazy_shape().num_elements()]),
        };
        append(&mut self.values, taken);
    }
}

fn append(all: &mut Result<Vec<Vec<f32>>, ComputeError>, next: Result<Vec<f32>, ComputeError>) {
    match (all.as_mut(), next) {
        (Ok(all), Ok(next)) => all.push(next),
        (Ok(_), Err(error)) => *all = Err(error),
        (Err(_), _) => {}
    }
}

struct ValueMapper<F> {
    change: F,
    index: usize,
    failure: Option<ComputeError>,
}

impl<F: FnMut(usize, &mut [f32])> ModuleMapper for ValueMapper<F> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let index = self.index;
        self.index += 1;
        let (id, tensor, mapper) = param.consume();
        let device = tensor.device();
        let (shape, tracked) = (tensor.dims(), tensor.is_require_grad());
        let changed = match values(tensor) {
            Ok(mut values) => {
                (self.change)(index, &mut values);
                Tensor::from_data(TensorData::new(values, shape), &device)
            }
            Err(error) => {
                self.failure = Some(error);
                Tensor::zeros(shape, &device)
            }
        };
        Param::from_mapped_value(id, changed.set_require_grad(tracked), mapper)
    }
}
