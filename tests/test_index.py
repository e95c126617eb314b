import numpy as np

from longtale.arrays import unit_rows
from longtale.index import CoarseProduct
from longtale.seeds import generator


def test_products_of_unit_vectors_are_nearly_those_of_floats():
    vectors = unit_rows(generator(0, "index").standard_normal((500, 64), dtype=np.float32))
    queries = vectors[:7]
    found = CoarseProduct.of(vectors)(queries)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, queries @ vectors.T, atol=0.01)


def test_vectors_of_any_length_keep_their_own_scale():
    vectors = np.array([[1000, 0], [0.001, 0.001]], dtype=np.float32)
    found = CoarseProduct.of(vectors)(np.array([[2, 2]], dtype=np.float32))
    np.testing.assert_allclose(found, [[2000, 0.004]], rtol=0.01)


def test_nothing_is_near_to_a_vector_of_zeros():
    vectors = np.array([[0, 0], [1, 0]], dtype=np.float32)
    product = CoarseProduct.of(vectors)
    assert product(np.ones((1, 2), dtype=np.float32))[0, 0] == 0
    assert not product(np.zeros((1, 2), dtype=np.float32)).any()
