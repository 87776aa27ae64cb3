"""Cases: folders of manifests, requests and expectations, for any test that runs them."""
