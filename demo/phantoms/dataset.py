"""What every phantom has: the modules of patient, study, series and equipment, native pixels, a file."""

from __future__ import annotations

from pathlib import Path

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from demo.phantoms.drawing import Array
from demo.phantoms.patient import Patient, invent_uid


def common(patient: Patient, sop_class: UID, modality: str, series: int, instance: int) -> Dataset:
    """Patient, study, series, equipment and SOP common modules."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.SourceApplicationEntityTitle = "SOLVIK"
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = sop_class
    ds.SOPInstanceUID = invent_uid(patient.study_uid, modality, series, instance)
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.StudyDate = ds.SeriesDate = ds.ContentDate = ds.AcquisitionDate = patient.study_date
    ds.StudyTime = ds.SeriesTime = ds.ContentTime = ds.AcquisitionTime = patient.study_time
    ds.AccessionNumber, ds.StudyID = patient.accession, patient.study_id
    ds.Modality, ds.Manufacturer = modality, "Airlock Phantoms"
    ds.ManufacturerModelName, ds.SoftwareVersions, ds.DeviceSerialNumber = "Phantom 1", "1.0", "SN-55812"
    ds.InstitutionName, ds.StationName = patient.institution, patient.station
    ds.ReferringPhysicianName, ds.OperatorsName = patient.referring_physician, patient.operator
    ds.StudyDescription, ds.SeriesDescription = patient.study_description, f"{modality} phantom {series}"
    ds.PatientName, ds.PatientID, ds.PatientSex = patient.name, patient.id, patient.sex
    ds.PatientBirthDate, ds.PatientAge = patient.birth_date, patient.age
    ds.PatientAddress, ds.PatientTelephoneNumbers = patient.address, patient.phone
    ds.StudyInstanceUID = patient.study_uid
    ds.SeriesInstanceUID = invent_uid(patient.study_uid, modality, series)
    ds.SeriesNumber, ds.InstanceNumber = series, instance
    ds.Laterality = ""
    return ds


def set_pixels(ds: Dataset, frames: Array, photometric: str, bits_stored: int | None = None) -> None:
    """Set the image pixel module from `(frames, rows, columns[, samples])`, stored natively."""
    bits = frames.dtype.itemsize * 8
    ds.SamplesPerPixel = frames.shape[3] if frames.ndim == 4 else 1
    ds.PhotometricInterpretation = photometric
    ds.Rows, ds.Columns = frames.shape[1:3]
    ds.BitsAllocated, ds.BitsStored = bits, bits_stored or bits
    ds.HighBit, ds.PixelRepresentation = ds.BitsStored - 1, int(frames.dtype.kind == "i")
    if ds.SamplesPerPixel > 1:
        ds.PlanarConfiguration = 0
    content = frames.astype(frames.dtype.newbyteorder("<")).tobytes()
    ds.PixelData = content + b"\0" * (len(content) % 2)
    ds["PixelData"].VR = "OW" if bits > 8 else "OB"


def save(ds: Dataset, folder: Path) -> Path:
    """Write a phantom under its modality, series and instance number."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{ds.Modality}-{ds.SeriesNumber}-{ds.InstanceNumber:04d}.dcm"
    ds.save_as(path, enforce_file_format=True)
    return path
