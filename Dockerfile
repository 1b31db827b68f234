# One image per service: docker build --target gateway (learner, learner-keras, extractor, extractor-gpu, producer).
# Every package is pinned with its hashes in locks/, which `make lock` writes.

FROM python:3.11.14-slim-bookworm AS python
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore PIP_PYTHON=/opt/prequel/bin/python
RUN python -m venv --without-pip /opt/prequel

# Prequel itself, as a wheel: the same in every image.
FROM python AS wheel
WORKDIR /source
COPY locks/build.txt .
RUN pip install --require-hashes --requirement build.txt
COPY pyproject.toml README.md LICENSE ./
COPY prequel prequel
COPY services services
COPY shared shared
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheels .

# The packages of each service; they change less often than the code.
FROM python AS extractor-packages
COPY locks/extractor.txt packages.txt
RUN pip install --require-hashes --requirement packages.txt

FROM python AS extractor-gpu-packages
COPY locks/extractor-gpu.txt packages.txt
RUN pip install --require-hashes --requirement packages.txt

FROM python AS learner-packages
COPY locks/learner.txt packages.txt
RUN pip install --require-hashes --requirement packages.txt

# Keras for replay=cgan: gigabytes that the other models do not need.
FROM python AS learner-keras-packages
COPY locks/learner-keras.txt packages.txt
RUN pip install --require-hashes --requirement packages.txt

FROM python AS gateway-packages
COPY locks/gateway.txt packages.txt
RUN pip install --require-hashes --requirement packages.txt

FROM python AS producer-packages
COPY locks/producer.txt packages.txt
RUN pip install --require-hashes --requirement packages.txt

# With Prequel in them.
FROM extractor-packages AS extractor-ready
COPY --from=wheel /wheels /wheels
RUN pip install --no-index --no-deps /wheels/*.whl

FROM extractor-gpu-packages AS extractor-gpu-ready
COPY --from=wheel /wheels /wheels
RUN pip install --no-index --no-deps /wheels/*.whl

FROM learner-packages AS learner-ready
COPY --from=wheel /wheels /wheels
RUN pip install --no-index --no-deps /wheels/*.whl

FROM learner-keras-packages AS learner-keras-ready
COPY --from=wheel /wheels /wheels
RUN pip install --no-index --no-deps /wheels/*.whl

FROM gateway-packages AS gateway-ready
COPY --from=wheel /wheels /wheels
RUN pip install --no-index --no-deps /wheels/*.whl

FROM producer-packages AS producer-ready
COPY --from=wheel /wheels /wheels
RUN pip install --no-index --no-deps /wheels/*.whl

# What they run on: no pip, no compiler, no root. /var/cache/prequel is all that is written to.
FROM python:3.11.14-slim-bookworm AS runtime
RUN pip uninstall --yes --root-user-action ignore pip setuptools wheel \
    && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin prequel \
    && install --directory --owner prequel --group prequel /var/cache/prequel
ENV PATH=/opt/prequel/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PREQUEL_CACHE=/var/cache/prequel/backbones \
    KERAS_HOME=/var/cache/prequel/keras \
    NUMBA_CACHE_DIR=/var/cache/prequel/numba
WORKDIR /var/cache/prequel
USER 10001:10001
ENTRYPOINT ["prequel"]

FROM runtime AS extractor
COPY --from=extractor-ready /opt/prequel /opt/prequel
CMD ["extractor"]

FROM runtime AS extractor-gpu
COPY --from=extractor-gpu-ready /opt/prequel /opt/prequel
ENV KERAS_BACKEND=tensorflow
CMD ["extractor"]

FROM runtime AS learner
COPY --from=learner-ready /opt/prequel /opt/prequel
CMD ["learner"]

FROM runtime AS learner-keras
COPY --from=learner-keras-ready /opt/prequel /opt/prequel
ENV KERAS_BACKEND=tensorflow
CMD ["learner"]

FROM runtime AS gateway
COPY --from=gateway-ready /opt/prequel /opt/prequel
CMD ["gateway"]

FROM runtime AS producer
COPY --from=producer-ready /opt/prequel /opt/prequel
CMD ["--help"]
