"""Synthetic instances in memory with identifiers planted wherever de-identification must find them.

Tiny, and not valid by their IOD; the demonstration's phantoms are, and have pictures.
"""

from __future__ import annotations

from typing import Any

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

STUDY = "1.2.276.0.7230010.3.1.2.100"
SERIES = "1.2.276.0.7230010.3.1.3.200"
FRAME = "1.2.276.0.7230010.3.1.4.300"
NAME, PATIENT, ACCESSION = "Quillfeather^Zebedee^X", "QF-7731942", "ACC5550199"
PLANTED = ("quillfeather", "zebedee", "7731942", "5550199", "wolkenkuck", "1.2.276.0.7230010")


def ct(number: int = 1, **more: Any) -> Dataset:
    """Return a small CT image of a planted patient."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.preamble = b"Zebedee Quillfeather".ljust(128, b"\0")
    ds.SOPClassUID = CTImageStorage
    ds.SOPInstanceUID = f"1.2.276.0.7230010.3.1.5.{number}"
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = STUDY, SERIES, FRAME
    ds.PatientName, ds.PatientID, ds.AccessionNumber = NAME, PATIENT, ACCESSION
    ds.PatientBirthDate, ds.PatientSex, ds.PatientAge = "19610203", "M", "058Y"
    ds.PatientAddress = "Wolkenkuckucksheim Allee 17"
    ds.StudyDate, ds.SeriesDate, ds.AcquisitionDate, ds.ContentDate = "20200110", "20200110", "20200111", "20200112"
    ds.StudyTime, ds.SeriesTime, ds.AcquisitionTime, ds.ContentTime = "101112", "101113", "101114.5", "101115"
    ds.AcquisitionDateTime = "20200111101114.500000+0100"
    ds.Modality, ds.Manufacturer, ds.ManufacturerModelName = "CT", "Acme", "Scanner of Zebedee"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.StudyDescription = "CT Chest for Zebedee Quillfeather 12.01.2020"
    ds.SeriesDescription = "Thorax axial 5.0 Wolkenkuck"
    ds.ReferringPhysicianName, ds.StudyID = "Wolkenkuck^Gundula", "S1"
    ds.SeriesNumber, ds.InstanceNumber, ds.AcquisitionNumber = 1, number, 1
    ds.PositionReferenceIndicator, ds.PatientPosition = "", "HFS"
    ds.KVP, ds.RescaleIntercept, ds.RescaleSlope = 120, -1024, 1
    ds.PixelSpacing, ds.SliceThickness = [0.5, 0.5], 5
    ds.ImagePositionPatient, ds.ImageOrientationPatient = [0, 0, number], [1, 0, 0, 0, 1, 0]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns, ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 16, 12, 11, 0
    block = ds.private_block(0x0009, "QUILLFEATHER 1.0", create=True)
    block.add_new(0x01, "PN", NAME)
    nested = Dataset()
    nested.PatientName, nested.PatientID = NAME, PATIENT
    ds.ReferencedPatientSequence = Sequence([nested])
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = CTImageStorage, "1.2.276.0.7230010.3.1.5.1"
    ds.ReferencedImageSequence = Sequence([reference])
    for keyword, value in more.items():
        setattr(ds, keyword, value)
    ds.PixelData = bytes(range(128))
    ds["PixelData"].VR = "OW"
    return ds
